// Package output collects what a command prints, and shows it while the command runs.
package output

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// The environment variables in which a command finds what the one before it printed.
const (
	StdoutVariable = "PULUMI_COMMAND_STDOUT"
	StderrVariable = "PULUMI_COMMAND_STDERR"
)

// The values of the input `logging`.
const (
	logStdout = "stdout"
	logStderr = "stderr"
	logBoth   = "stdoutAndStderr"
	logNone   = "none"
)

// LoggingValues lists the values of the input `logging` for an enumeration of type T.
func LoggingValues[T ~string]() []infer.EnumValue[T] {
	return []infer.EnumValue[T]{
		{Name: logStdout, Value: logStdout, Description: "Show stdout alone while the command runs."},
		{Name: logStderr, Value: logStderr, Description: "Show stderr alone while the command runs."},
		{Name: logBoth, Value: logBoth, Description: "Show stdout and stderr while the command runs."},
		{Name: logNone, Value: logNone, Description: "Show nothing while the command runs."},
	}
}

// Output collects the two streams of a command, each by itself and both in the order of writing.
type Output struct {
	Stdout, Stderr *Stream

	mutex sync.Mutex
	both  bytes.Buffer
	show  func(line string)
}

// Stream is one of a command's two streams, an io.Writer.
type Stream struct {
	output *Output
	shown  bool
	all    bytes.Buffer
	line   bytes.Buffer
}

// New makes an Output. The lines of the streams that logging names, by default of both, go to the
// log of the resource that ctx belongs to, as soon as they are complete.
func New(ctx context.Context, logging string) *Output {
	// What a cancelled command still prints is worth showing.
	logger := p.GetLogger(context.WithoutCancel(ctx))
	return newOutput(logging, func(line string) { logger.InfoStatus(line) })
}

func newOutput(logging string, show func(line string)) *Output {
	o := &Output{show: show}
	both := logging == "" || logging == logBoth
	o.Stdout = &Stream{output: o, shown: both || logging == logStdout}
	o.Stderr = &Stream{output: o, shown: both || logging == logStderr}
	return o
}

// Write collects data and shows the lines that it completes.
func (s *Stream) Write(data []byte) (int, error) {
	s.output.mutex.Lock()
	defer s.output.mutex.Unlock()
	s.all.Write(data)
	s.output.both.Write(data)
	if s.shown {
		rest := data
		for {
			line, after, complete := bytes.Cut(rest, []byte("\n"))
			s.line.Write(line)
			if !complete {
				break
			}
			s.flush()
			rest = after
		}
	}
	return len(data), nil
}

// flush shows the current line.
func (s *Stream) flush() {
	s.output.show(strings.TrimSuffix(s.line.String(), "\r"))
	s.line.Reset()
}

// Text is everything the stream has got, without the last newline.
func (s *Stream) Text() string {
	return strings.TrimSuffix(s.all.String(), "\n")
}

// Close shows the last lines that no newline ended. The command's writers must be done.
func (o *Output) Close() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	for _, s := range []*Stream{o.Stdout, o.Stderr} {
		if s.line.Len() > 0 {
			s.flush()
		}
	}
}

// Error says that command failed with err, and what it had printed by then.
func (o *Output) Error(err error, command string) error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return fmt.Errorf("%w: running %q:\n%s", err, command, o.both.String())
}
