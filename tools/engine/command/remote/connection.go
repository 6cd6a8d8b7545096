// Package remote runs commands on other machines and copies files there, over SSH.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

const (
	defaultUser           = "root"
	defaultPort           = 22
	defaultDialErrorLimit = 10
	defaultPerDialTimeout = 15 // seconds

	// The wait before the first repetition of a dial, how it grows, and its limit.
	firstWait   = 100 * time.Millisecond
	waitGrowth  = 1.5
	longestWait = 5 * time.Second
)

// endpoint is what it takes to log in to a machine.
type endpoint struct {
	User               *string  `pulumi:"user,optional"`
	Password           *string  `pulumi:"password,optional"`
	Host               string   `pulumi:"host"`
	Port               *float64 `pulumi:"port,optional"`
	PrivateKey         *string  `pulumi:"privateKey,optional"`
	PrivateKeyPassword *string  `pulumi:"privateKeyPassword,optional"`
	AgentSocketPath    *string  `pulumi:"agentSocketPath,optional"`
	DialErrorLimit     *int     `pulumi:"dialErrorLimit,optional"`
	PerDialTimeout     *int     `pulumi:"perDialTimeout,optional"`
	HostKey            *string  `pulumi:"hostKey,optional"`
}

// annotate describes an endpoint in the schema.
func (e *endpoint) annotate(a infer.Annotator) {
	a.Describe(&e.User, "The user to log in as.")
	a.SetDefault(&e.User, defaultUser)
	a.Describe(&e.Password, "The user's password.")
	a.Describe(&e.Host, "The name or address of the machine.")
	a.Describe(&e.Port, "The port of its SSH server.")
	a.SetDefault(&e.Port, defaultPort)
	a.Describe(&e.PrivateKey, "The content of a private key. It is tried before the password.")
	a.Describe(&e.PrivateKeyPassword, "The passphrase of an encrypted private key.")
	a.Describe(&e.AgentSocketPath, "The socket of an SSH agent. Defaults to `SSH_AUTH_SOCK`.")
	a.Describe(&e.DialErrorLimit, "How many failed dials are followed by another. -1: all of them.")
	a.SetDefault(&e.DialErrorLimit, defaultDialErrorLimit)
	a.Describe(&e.PerDialTimeout, "Seconds that a dial may take. 0: no limit.")
	a.SetDefault(&e.PerDialTimeout, defaultPerDialTimeout)
	a.Describe(&e.HostKey, "The machine's public host key, as in a line of `ssh_host_*_key.pub`. "+
		"Without it any host key is accepted.")
}

// Connection says how to reach a machine.
type Connection struct {
	endpoint
	Proxy *ProxyConnection `pulumi:"proxy,optional"`
}

// Annotate describes a Connection in the schema.
func (c *Connection) Annotate(a infer.Annotator) {
	a.Describe(&c, "How to reach a machine.")
	c.endpoint.annotate(a)
	a.Describe(&c.Proxy, "The machine to go through, where there is no direct way.")
}

// ProxyConnection says how to reach the machine that leads to another one.
type ProxyConnection struct {
	endpoint
}

// Annotate describes a ProxyConnection in the schema.
func (c *ProxyConnection) Annotate(a infer.Annotator) {
	a.Describe(&c, "How to reach the machine that leads to another one.")
	c.endpoint.annotate(a)
}

// address is the address to dial.
func (e *endpoint) address() string {
	return net.JoinHostPort(e.Host, strconv.Itoa(int(orDefault(e.Port, defaultPort))))
}

// clientConfig makes the SSH client's configuration. Call done once no more dials follow.
func (e *endpoint) clientConfig() (config *ssh.ClientConfig, done func(), err error) {
	config = &ssh.ClientConfig{
		User:            orDefault(e.User, defaultUser),
		Timeout:         time.Duration(orDefault(e.PerDialTimeout, defaultPerDialTimeout)) * time.Second,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	}
	if e.HostKey != nil {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(*e.HostKey))
		if err != nil {
			return nil, nil, fmt.Errorf("connection.hostKey is not a public key: %w", err)
		}
		config.HostKeyCallback = ssh.FixedHostKey(key)
		config.HostKeyAlgorithms = hostKeyAlgorithms(key)
	}

	var signers []ssh.Signer
	if e.PrivateKey != nil {
		signer, err := e.signer()
		if err != nil {
			return nil, nil, fmt.Errorf("connection.privateKey: %w", err)
		}
		signers = append(signers, signer)
	}
	done = func() {}
	keys := func() ([]ssh.Signer, error) { return signers, nil }
	if socket := orDefault(e.AgentSocketPath, os.Getenv("SSH_AUTH_SOCK")); socket != "" {
		conn, err := net.Dial("unix", socket)
		switch {
		case err == nil:
			done = func() { _ = conn.Close() }
			keys = func() ([]ssh.Signer, error) {
				more, err := agent.NewClient(conn).Signers()
				return append(slices.Clone(signers), more...), err
			}
		case e.AgentSocketPath != nil || (e.PrivateKey == nil && e.Password == nil):
			return nil, nil, fmt.Errorf("SSH agent: %w", err)
		}
	}
	config.Auth = append(config.Auth, ssh.PublicKeysCallback(keys))

	if e.Password != nil {
		password := *e.Password
		config.Auth = append(config.Auth, ssh.Password(password), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, _ []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range answers {
					answers[i] = password
				}
				return answers, nil
			}))
	}
	return config, done, nil
}

// signer reads the private key.
func (e *endpoint) signer() (ssh.Signer, error) {
	if e.PrivateKeyPassword != nil {
		return ssh.ParsePrivateKeyWithPassphrase([]byte(*e.PrivateKey), []byte(*e.PrivateKeyPassword))
	}
	return ssh.ParsePrivateKey([]byte(*e.PrivateKey))
}

// hostKeyAlgorithms lists all algorithms, those of key first: a server with several host keys then
// shows the one that is expected.
func hostKeyAlgorithms(key ssh.PublicKey) []string {
	own := []string{key.Type()}
	if key.Type() == ssh.KeyAlgoRSA {
		own = []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSA}
	}
	for _, algorithm := range ssh.SupportedAlgorithms().HostKeys {
		if !slices.Contains(own, algorithm) {
			own = append(own, algorithm)
		}
	}
	return own
}

// client is an SSH client that also closes the connection it goes through.
type client struct {
	*ssh.Client
	proxy *ssh.Client
}

// Close ends the connection.
func (c *client) Close() error {
	err := c.Client.Close()
	if c.proxy != nil {
		err = errors.Join(err, c.proxy.Close())
	}
	return err
}

// dial connects, trying again as dialErrorLimit says.
func (c *Connection) dial(ctx context.Context) (*client, error) {
	config, done, err := c.clientConfig()
	if err != nil {
		return nil, err
	}
	defer done()
	limit := orDefault(c.DialErrorLimit, defaultDialErrorLimit)

	var proxy *ssh.Client
	connect := (&net.Dialer{}).DialContext
	if c.Proxy != nil {
		proxyConfig, done, err := c.Proxy.clientConfig()
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		defer done()
		proxyLimit := orDefault(c.Proxy.DialErrorLimit, defaultDialErrorLimit)
		proxy, err = retry(ctx, "Dial proxy", proxyLimit, func() (*ssh.Client, error) {
			return dialOnce(ctx, connect, c.Proxy.address(), proxyConfig)
		})
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		connect = proxy.DialContext
	}

	ssh, err := retry(ctx, "Dial", limit, func() (*ssh.Client, error) {
		return dialOnce(ctx, connect, c.address(), config)
	})
	if err != nil {
		if proxy != nil {
			_ = proxy.Close()
		}
		return nil, err
	}
	return &client{ssh, proxy}, nil
}

// dialOnce connects and logs in, all within config.Timeout.
func dialOnce(
	ctx context.Context,
	connect func(ctx context.Context, network, address string) (net.Conn, error),
	address string,
	config *ssh.ClientConfig,
) (*ssh.Client, error) {
	if config.Timeout > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, config.Timeout)
		defer cancel()
	}
	conn, err := connect(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	sshConn, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if !stop() && ctx.Err() != nil {
		err = fmt.Errorf("dial tcp %s: SSH handshake: %w", address, ctx.Err())
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return ssh.NewClient(sshConn, channels, requests), nil
}

// retry calls dial until it succeeds, has failed limit times and once more, or ctx ends. A negative
// limit is none. what names the dial in the log.
func retry[T any](ctx context.Context, what string, limit int, dial func() (T, error)) (T, error) {
	wait := firstWait
	for failures := 0; ; failures++ {
		result, err := dial()
		if err == nil {
			return result, nil
		}
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		shown := "inf"
		if limit >= 0 {
			if failures >= limit {
				return result, fmt.Errorf("after %d failed attempts: %w", failures, err)
			}
			shown = strconv.Itoa(limit)
		}
		p.GetLogger(ctx).InfoStatusf("%s %d/%s failed: retrying", what, failures+1, shown)
		select {
		case <-ctx.Done():
			return result, ctx.Err()
		case <-time.After(wait):
		}
		wait = min(time.Duration(float64(wait)*waitGrowth), longestWait)
	}
}

// orDefault is what value points to, or fallback where it points nowhere.
func orDefault[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}
