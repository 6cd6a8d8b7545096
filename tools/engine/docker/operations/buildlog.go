package operations

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	control "github.com/moby/buildkit/api/services/control"
)

const (
	// buildKitTrace is the id of the messages in which Docker passes on what BuildKit tells.
	buildKitTrace = "moby.buildkit.trace"
	// shownLines is how many of the last lines a failed build shows.
	shownLines = 40
)

// buildLog collects what a build prints, step by step.
type buildLog struct {
	progress func(line string)
	steps    []*buildStep
}

// buildStep is a step of a build. The classic builder's output is one step without a name.
type buildStep struct {
	id, name string
	started  bool
	failed   bool
	output   bytes.Buffer
	shown    int // bytes of output that progress has got
}

// step finds a step, or begins it.
func (l *buildLog) step(id string) *buildStep {
	for _, step := range l.steps {
		if step.id == id {
			return step
		}
	}
	step := &buildStep{id: id}
	l.steps = append(l.steps, step)
	return step
}

// add adds output of a step.
func (l *buildLog) add(id string, output []byte) {
	step := l.step(id)
	step.output.Write(output)
	for {
		line, _, complete := bytes.Cut(step.output.Bytes()[step.shown:], []byte("\n"))
		if !complete {
			return
		}
		step.shown += len(line) + 1
		if text := lastUpdate(string(line)); text != "" {
			l.progress(text)
		}
	}
}

// addTrace adds what BuildKit tells in one message.
func (l *buildLog) addTrace(message json.RawMessage) error {
	var encoded []byte
	if err := json.Unmarshal(message, &encoded); err != nil {
		return fmt.Errorf("reading what BuildKit tells: %w", err)
	}
	var status control.StatusResponse
	if err := status.Unmarshal(encoded); err != nil {
		return fmt.Errorf("reading what BuildKit tells: %w", err)
	}
	for _, vertex := range status.Vertexes {
		step := l.step(vertex.Digest.String())
		step.name = vertex.Name
		step.failed = step.failed || vertex.Error != ""
		if vertex.Started != nil && !step.started {
			step.started = true
			l.progress(step.name)
		}
	}
	for _, log := range status.Logs {
		l.add(log.Vertex.String(), log.Msg)
	}
	return nil
}

// explain adds to the error of a build the step that failed and what it printed last.
func (l *buildLog) explain(err error) string {
	culprit := (*buildStep)(nil)
	for _, step := range l.steps {
		if step.failed || (step.id == "" && culprit == nil) {
			culprit = step
		}
	}
	if culprit == nil {
		return err.Error()
	}
	var text strings.Builder
	fmt.Fprintln(&text, err)
	if culprit.name != "" {
		fmt.Fprintf(&text, "The step that failed: %s\n", culprit.name)
	}
	lines := strings.Split(strings.TrimRight(culprit.output.String(), "\r\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		text.WriteString("It printed nothing.")
		return text.String()
	}
	if more := len(lines) - shownLines; more > 0 {
		fmt.Fprintf(&text, "It printed %d lines, the last of them:\n", len(lines))
		lines = lines[more:]
	} else {
		text.WriteString("It printed:\n")
	}
	for i, line := range lines {
		lines[i] = "  " + lastUpdate(line)
	}
	text.WriteString(strings.Join(lines, "\n"))
	return text.String()
}

// lastUpdate is what a line shows in the end whose start was written over, as by a progress bar.
func lastUpdate(line string) string {
	line = strings.TrimRight(line, "\r\n")
	return line[strings.LastIndexByte(line, '\r')+1:]
}
