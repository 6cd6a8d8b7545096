#!/usr/bin/env node
// A connection to an SSH server, on standard input and output: `ProxyCommand` of ssh.
//
//   ssh-connect.cjs HOST PORT [PROGRAM ARGUMENTS...]
//
// An sshd with many connections that are not logged in yet drops further ones before its banner
// (MaxStartups, 10 by default). Such a one is tried again; ssh itself gives up. Whatever else keeps
// a connection from coming about is told at once. With a program (ssh to a bastion), its standard
// input and output are the connection.
"use strict";

const { spawn } = require("node:child_process");
const { connect } = require("node:net");

/** Milliseconds until a host that does not answer counts as unreachable. */
const DIAL_TIMEOUT = 8_000;
/** Milliseconds in which dropped connections are tried again. */
const RETRY_TIME = 25_000;
/** Milliseconds of the longest pause before another try. */
const LONGEST_PAUSE = 1_000;

const BANNER = Buffer.from("SSH-");
/** What ssh prints when a bastion's sshd drops it. */
const DROPPED = /kex_exchange_identification|Connection (closed|reset) by/;

const [host, port, program, ...args] = process.argv.slice(2);
const end = Date.now() + RETRY_TIME;

/** A pair of streams, and `fail(callback)`, called with why there is no connection, if known. */
function dial() {
  if (program !== undefined) {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    let errors = "";
    child.stderr.on("data", (data) => (errors += data));
    return {
      input: child.stdout,
      output: child.stdin,
      close: () => child.kill(),
      fail(callback) {
        child.on("error", (error) => callback(error.message));
        child.on("close", (status) => {
          const dropped = status === 0 || DROPPED.test(errors);
          callback(dropped ? undefined : errors.trim() || `${program} ended with ${status}`);
        });
      },
    };
  }
  const socket = connect({ host, port: Number(port), noDelay: true, timeout: DIAL_TIMEOUT });
  socket.once("connect", () => socket.setTimeout(0));
  return {
    input: socket,
    output: socket,
    close: () => socket.destroy(),
    fail(callback) {
      socket.on("timeout", () => callback(`no answer within ${DIAL_TIMEOUT / 1000} s`));
      socket.on("error", ({ code, message }) =>
        callback(code === "ECONNRESET" ? undefined : message),
      );
      socket.on("close", () => callback(undefined));
    },
  };
}

function attempt(number) {
  const connection = dial();
  let received = Buffer.alloc(0);
  let state = "waiting";

  connection.output.on("error", () => undefined); // the other end tells
  connection.fail((reason) => {
    if (state === "connected") process.exit(0);
    if (state === "ended") return;
    state = "ended";
    connection.close();
    if (reason !== undefined) give(reason);
    else if (Date.now() > end) give("its SSH server drops all connections (MaxStartups?)");
    else {
      const pause = Math.min(LONGEST_PAUSE, 50 * 2 ** number) * (0.5 + Math.random());
      setTimeout(attempt, pause, number + 1);
    }
  });
  connection.input.on("data", function first(data) {
    received = Buffer.concat([received, data]);
    if (received.length < BANNER.length) return;
    connection.input.off("data", first);
    if (!received.subarray(0, BANNER.length).equals(BANNER)) {
      // sshd tells in words that it is full ("Exceeded MaxStartups"), or it is no sshd at all.
      if (!received.toString("latin1").startsWith("Exceed")) {
        give(
          `what answers there is no SSH server: ${JSON.stringify(received.toString("latin1", 0, 60))}`,
        );
      }
      return;
    }
    state = "connected";
    process.stdout.write(received);
    connection.input.pipe(process.stdout);
    process.stdin.pipe(connection.output);
  });
}

function give(reason) {
  process.stderr.write(`can't connect to ${host} port ${port}: ${reason}\n`);
  process.exit(1);
}

process.stdout.on("error", () => process.exit(0)); // ssh has ended
attempt(0);
