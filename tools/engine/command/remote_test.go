package command_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func TestRemoteCommandReturnsItsOutput(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	r := newResource(t, remoteCommand)
	r.must("create", values{
		"connection": server.connection(),
		"create":     "cat; echo err >&2",
		"stdin":      "out\n\n",
	})
	r.expect("stdout", "out\n")
	r.expect("stderr", "err")
	if !regexp.MustCompile(`^it[0-9a-f]{8}$`).MatchString(r.id) {
		t.Errorf("the id is %q, not the name and 8 hexadecimal digits", r.id)
	}
	r.expectLog("INFO: out")
	r.expectLog("INFO: err")
}

func TestRemoteCommandFails(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	r := newResource(t, remoteCommand)
	r.mustFail(values{"connection": server.connection(), "create": "echo so far; exit 3"},
		"exited with status 3: running \"echo so far; exit 3\":\nso far\n")
	if r.id != "" {
		t.Error("a resource whose command failed exists")
	}
	r.mustFail(values{"connection": server.connection(), "create": "kill -9 $$"}, "signal KILL")
}

func TestRemoteCommandEnvironment(t *testing.T) {
	t.Parallel()
	server := startSSHD(t, "AcceptEnv NAME PULUMI_COMMAND_*")
	r := newResource(t, remoteCommand)
	inputs := values{
		"connection":  server.connection(),
		"environment": values{"NAME": "value"},
		"create":      "echo $NAME $PULUMI_COMMAND_STDOUT; echo err$PULUMI_COMMAND_STDERR >&2",
	}
	r.must("create", inputs)
	r.expect("stdout", "value")
	inputs["environment"] = values{"NAME": "other"}
	r.must("update", inputs)
	r.expect("stdout", "other value")
	r.expect("stderr", "errerr")
	inputs["addPreviousOutputInEnv"] = false
	r.must("update", inputs)
	r.expect("stdout", "other")
	r.expect("stderr", "err")
}

func TestRemoteCommandEnvironmentThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	r := newResource(t, remoteCommand)
	inputs := values{"connection": server.connection(), "create": "echo out"}
	r.mustFail(values{
		"connection":  server.connection(),
		"create":      "echo out",
		"environment": values{"NAME": "value"},
	}, `could not set environment variable "NAME": ssh: setenv failed`)
	r.expectLog("NAME was not set")

	r.must("create", inputs)
	inputs["update"] = "echo updated"
	r.must("update", inputs)
	r.expect("stdout", "updated")
	r.expectLog("PULUMI_COMMAND_STDOUT was not set")

	quiet := newResource(t, remoteCommand)
	inputs["addPreviousOutputInEnv"] = false
	quiet.must("create", inputs)
	inputs["update"] = "echo again"
	quiet.must("update", inputs)
	quiet.expectNoLog("was not set")
}

func TestRemoteCommandUpdatesAndIsReplaced(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	log := filepath.Join(t.TempDir(), "log")
	inputs := values{
		"connection":             server.connection(),
		"create":                 "echo create >> " + log,
		"delete":                 "echo delete 1 >> " + log,
		"addPreviousOutputInEnv": false,
	}
	r := newResource(t, remoteCommand)
	r.must("create", inputs)
	r.must("same", inputs)
	inputs["connection"] = server.connection(values{"dialErrorLimit": 3})
	r.must("update", inputs)
	inputs["update"] = "echo update >> " + log
	inputs["delete"] = "echo delete 2 >> " + log
	r.must("update", inputs)
	inputs["triggers"] = []any{"a"}
	r.must("replace", inputs)
	inputs["triggers"] = []any{"b"}
	inputs["delete"] = "echo delete 3 >> " + log
	r.must("replace", inputs)
	if err := r.destroy(); err != nil {
		t.Fatal(err)
	}
	expectFile(t, log, "create\ncreate\nupdate\n"+
		"create\ndelete 2\n"+"create\ndelete 2\n"+"delete 3\n")
	if got := server.logIns(t); got != 8 {
		t.Errorf("8 commands took %d connections", got)
	}
}

func TestRemoteCommandPreviewsWithoutAConnection(t *testing.T) {
	t.Parallel()
	r := newResource(t, remoteCommand)
	outputs := r.preview(values{
		"connection": values{"host": "192.0.2.1", "dialErrorLimit": 0},
		"create":     "true",
	})
	if stdout := outputs.Get("stdout"); !stdout.IsComputed() {
		t.Errorf("before the creation stdout is %#v, not unknown", stdout)
	}
}

func TestRemoteCommandKeepsItsConnectionSecret(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	r := newResource(t, remoteCommand)
	r.must("create", values{
		"connection": server.connection(),
		"create":     "cat",
		"stdin":      property.New("hidden").WithSecret(true),
		"logging":    "none",
	})
	for _, name := range []string{"connection", "stdin"} {
		if !r.state.Get(name).Secret() {
			t.Errorf("%s is no secret in the state", name)
		}
	}
	if r.state.Get("stdout").Secret() {
		t.Error("stdout is a secret by itself: additionalSecretOutputs decides that")
	}
	r.expect("stdout", "hidden")
	r.expectNoLog("hidden")
}

func TestRemoteCommandHostKeys(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	run := func(hostKey any) error {
		_, err := newResource(t, remoteCommand).up(values{
			"connection": server.connection(values{"hostKey": hostKey, "dialErrorLimit": 1}),
			"create":     "true",
		})
		return err
	}
	if err := run(server.hostKey); err != nil {
		t.Errorf("the server's own key: %v", err)
	}
	if err := run(nil); err != nil {
		t.Errorf("no key: %v", err)
	}
	err := run(publicKey(t, newKey(t)))
	expected := "after 1 failed attempts: ssh: handshake failed: ssh: host key mismatch"
	if err == nil || err.Error() != expected {
		t.Errorf("another key: %v", err)
	}
	if err := run("no key"); err == nil || !strings.Contains(err.Error(), "connection.hostKey") {
		t.Errorf("a text that is no key: %v", err)
	}
}

func TestRemoteCommandRefusedLogIns(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	for name, connection := range map[string]values{
		"another key":  server.connection(values{"privateKey": newKey(t), "dialErrorLimit": 1}),
		"another user": server.connection(values{"user": "nobody-here", "dialErrorLimit": 1}),
		"a password": server.connection(
			values{"privateKey": nil, "password": "wrong", "dialErrorLimit": 1}),
	} {
		t.Run(name, func(t *testing.T) {
			newResource(t, remoteCommand).mustFail(
				values{"connection": connection, "create": "true"},
				"after 1 failed attempts: ssh: handshake failed: ssh: ")
		})
	}
	newResource(t, remoteCommand).mustFail(values{
		"connection": server.connection(values{"privateKey": "no key"}),
		"create":     "true",
	}, "connection.privateKey")
}

func TestRemoteCommandDialLimit(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	r := newResource(t, remoteCommand)
	started := time.Now()
	r.mustFail(values{
		"connection": values{"host": "127.0.0.1", "port": port, "dialErrorLimit": 2},
		"create":     "true",
	}, fmt.Sprintf("after 2 failed attempts: dial tcp 127.0.0.1:%d: connect: connection refused", port))
	if took := time.Since(started); took < 250*time.Millisecond || took > 3*time.Second {
		t.Errorf("it took %v, not 100 ms + 150 ms", took)
	}
	r.expectLog("Dial 1/2 failed: retrying")
	r.expectLog("Dial 2/2 failed: retrying")
	r.expectNoLog("Dial 3/2")
}

func TestRemoteCommandDialTimeout(t *testing.T) {
	t.Parallel()
	// A server that accepts connections, and then says nothing.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	started := time.Now()
	newResource(t, remoteCommand).mustFail(values{
		"connection": values{
			"host": "127.0.0.1", "port": listener.Addr().(*net.TCPAddr).Port,
			"dialErrorLimit": 0, "perDialTimeout": 1,
		},
		"create": "true",
	}, "after 0 failed attempts", "deadline exceeded")
	if took := time.Since(started); took < time.Second || took > 3*time.Second {
		t.Errorf("it took %v, not 1 s", took)
	}
}

func TestRemoteCommandWaitsForItsServer(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	backend := fmt.Sprintf("127.0.0.1:%d", server.port)
	port := freePort(t)
	go func() {
		time.Sleep(500 * time.Millisecond)
		forward(t, port, backend)
	}()
	r := newResource(t, remoteCommand)
	r.must("create", values{
		"connection": server.connection(values{"port": port, "dialErrorLimit": -1}),
		"create":     "echo there",
	})
	r.expect("stdout", "there")
	r.expectLog("Dial 1/inf failed: retrying")
}

func TestManyRemoteCommandsAtOnce(t *testing.T) {
	t.Parallel()
	// sshd drops connections once more than 2 log-ins are under way.
	server := startSSHD(t, "MaxStartups 2")
	var group sync.WaitGroup
	for i := range 16 {
		r := newResource(t, remoteCommand)
		group.Go(func() {
			operation, err := r.up(values{
				"connection": server.connection(), "create": fmt.Sprintf("echo %d", i),
			})
			if err != nil {
				t.Errorf("%s %d: %v", operation, i, err)
			}
		})
	}
	group.Wait()
}

func TestRemoteCommandThroughABastion(t *testing.T) {
	t.Parallel()
	bastion, server := startSSHD(t), startSSHD(t)
	inputs := func(changes values) values {
		return values{
			"connection": server.connection(values{
				"dialErrorLimit": 0,
				"proxy":          bastion.connection(values{"dialErrorLimit": 0}, changes),
			}),
			"create": "echo $SSH_CONNECTION",
		}
	}
	r := newResource(t, remoteCommand)
	r.must("create", inputs(nil))
	if got := strings.Fields(r.output("stdout")); len(got) != 4 || got[3] != strconv.Itoa(server.port) {
		t.Errorf("the connection is %q", got)
	}
	if through, there := bastion.logIns(t), server.logIns(t); through != 1 || there != 1 {
		t.Errorf("%d log-ins on the bastion, %d behind it", through, there)
	}

	newResource(t, remoteCommand).mustFail(inputs(values{"hostKey": server.hostKey}),
		"proxy: after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch")
	newResource(t, remoteCommand).mustFail(inputs(values{"privateKey": server.key}),
		"proxy:", "unable to authenticate")
	closed := inputs(nil)
	closed["connection"].(values)["port"] = freePort(t)
	newResource(t, remoteCommand).mustFail(closed, "after 0 failed attempts", "connect failed")
}

func TestRemoteCommandEndsWhenCancelled(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	mark := filepath.Join(t.TempDir(), "mark")
	r := newResource(t, remoteCommand)
	ended := make(chan error, 1)
	go func() {
		_, err := r.up(values{
			"connection": server.connection(),
			// sshd passes signals on to the commands of all users but root.
			"create": "trap '' TERM; echo started; echo > " + mark + "; sleep 10",
		})
		ended <- err
	}()
	waitForFile(t, mark)
	started := time.Now()
	if err := r.server.Cancel(); err != nil {
		t.Fatal(err)
	}
	err := <-ended
	if err == nil || !strings.Contains(err.Error(), "context canceled") ||
		!strings.Contains(err.Error(), "started") {
		t.Errorf("the cancelled command ended with %v", err)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	waitUntil(t, "the server has seen the connection end", func() bool {
		return strings.Contains(server.logged(t), "Close session: user")
	})
}

func TestRemoteCommandStopsDiallingWhenCancelled(t *testing.T) {
	t.Parallel()
	r := newResource(t, remoteCommand)
	ended := make(chan error, 1)
	go func() {
		_, err := r.up(values{
			"connection": values{"host": "127.0.0.1", "port": freePort(t), "dialErrorLimit": -1},
			"create":     "true",
		})
		ended <- err
	}()
	waitUntil(t, "the first dial has failed", func() bool {
		return strings.Contains(r.logs.String(), "Dial 1/inf")
	})
	if err := r.server.Cancel(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(2 * time.Second):
		t.Error("it goes on")
	}
}

func TestRemoteCommandRefusesWrongInputs(t *testing.T) {
	t.Parallel()
	r := newResource(t, remoteCommand)
	for name, inputs := range map[string]values{
		"no connection":  {"create": "true"},
		"no host":        {"create": "true", "connection": values{"user": "root"}},
		"port is a text": {"create": "true", "connection": values{"host": "h", "port": "ssh"}},
	} {
		if _, failures := r.check(inputs); len(failures) == 0 {
			t.Errorf("%s: passes the check", name)
		}
	}
}

func TestConnectionDefaults(t *testing.T) {
	t.Parallel()
	r := newResource(t, remoteCommand)
	inputs, failures := r.check(values{
		"create":     "true",
		"connection": values{"host": "h", "proxy": values{"host": "p"}},
	})
	if len(failures) > 0 {
		t.Fatal(failures)
	}
	connection := inputs.Get("connection").AsMap()
	for _, endpoint := range []property.Map{connection, connection.Get("proxy").AsMap()} {
		if endpoint.Get("user").AsString() != "root" || endpoint.Get("port").AsNumber() != 22 ||
			endpoint.Get("dialErrorLimit").AsNumber() != 10 ||
			endpoint.Get("perDialTimeout").AsNumber() != 15 {
			t.Errorf("the defaults are %#v", endpoint)
		}
	}
}

func TestSchemaIsComplete(t *testing.T) {
	t.Parallel()
	response, err := newServer(t).GetSchema(p.GetSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{
		localCommand, remoteCommand, copyToRemote, "command:local:run",
		"command:local:Logging", "command:remote:Logging",
		"command:remote:Connection", "command:remote:ProxyConnection",
	} {
		if !strings.Contains(response.Schema, fmt.Sprintf("%q:", token)) {
			t.Errorf("the schema lacks %s", token)
		}
	}
}

// forward passes connections to a port on to an address, until the test ends.
func forward(t *testing.T, port int, address string) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Error(err)
		return
	}
	t.Cleanup(func() { _ = listener.Close() })
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", address)
		if err != nil {
			_ = from.Close()
			continue
		}
		for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
			go func() {
				_, _ = pair[1].(*net.TCPConn).ReadFrom(pair[0])
				_ = pair[1].Close()
			}()
		}
	}
}
