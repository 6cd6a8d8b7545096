package command_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// sshd is an OpenSSH server that a test has started on a port of the loopback interface.
type sshd struct {
	port    int
	hostKey string // public, as in a line of authorized_keys
	key     string // private, of a user that may log in
	home    string
	log     string
}

// startSSHD starts a server with more lines of configuration. It ends with the test.
func startSSHD(t *testing.T, config ...string) *sshd {
	t.Helper()
	path, err := exec.LookPath("sshd")
	if err != nil {
		path = "/usr/sbin/sshd"
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("there is no sshd: install Debian's openssh-server")
	}
	if os.Geteuid() == 0 {
		// Where sshd wants to be rooted before a log-in; Debian makes it when it starts the service.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}

	server := &sshd{port: freePort(t), home: t.TempDir()}
	server.log = filepath.Join(server.home, "log")
	hostPrivate := newKey(t)
	server.hostKey = publicKey(t, hostPrivate)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	server.key = newKey(t)
	server.write(t, "host", hostPrivate)
	server.write(t, "host-rsa", encodeKey(t, rsaKey))
	server.write(t, "authorized", publicKey(t, server.key))
	lines := append([]string{
		"Port " + strconv.Itoa(server.port),
		"ListenAddress 127.0.0.1",
		// The key that a test expects comes last, among others.
		"HostKey " + filepath.Join(server.home, "host-rsa"),
		"HostKey " + filepath.Join(server.home, "host"),
		"AuthorizedKeysFile " + filepath.Join(server.home, "authorized"),
		"PidFile none",
		"StrictModes no",
		"UsePAM no",
		"PasswordAuthentication no",
		"PermitRootLogin yes",
		"LogLevel VERBOSE",
		"Subsystem sftp internal-sftp",
	}, config...)
	server.write(t, "config", strings.Join(lines, "\n")+"\n")

	cmd := exec.Command(path, "-D", "-f", filepath.Join(server.home, "config"), "-E", server.log)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("sshd: %s%s", stderr.String(), server.logged(t))
		}
	})
	waitUntil(t, "sshd answers", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", server.port))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return server
}

// connection is how to reach the server, with changes.
func (s *sshd) connection(changes ...values) values {
	connection := values{
		"host":       "127.0.0.1",
		"port":       s.port,
		"user":       userName(),
		"privateKey": s.key,
		"hostKey":    s.hostKey,
	}
	for _, change := range changes {
		for name, value := range change {
			if value == nil {
				delete(connection, name)
			} else {
				connection[name] = value
			}
		}
	}
	return connection
}

// logIns counts the log-ins so far.
func (s *sshd) logIns(t *testing.T) int {
	t.Helper()
	return strings.Count(s.logged(t), "Accepted publickey")
}

func (s *sshd) logged(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func (s *sshd) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.home, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func userName() string {
	name, err := exec.Command("id", "-un").Output()
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(name))
}

// freePort is a port of the loopback interface that nothing listens on.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// newKey makes a private key, as the text of its file.
func newKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return encodeKey(t, key)
}

func encodeKey(t *testing.T, key any) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

// publicKey is the public half of a private key, as in a line of authorized_keys.
func publicKey(t *testing.T, private string) string {
	t.Helper()
	signer, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
}
