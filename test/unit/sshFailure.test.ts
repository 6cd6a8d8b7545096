import assert from "node:assert/strict";

import { sshFailure } from "../../config/sshFailure";

// As OpenSSH 9.2 prints them, through components/scripts/ssh-connect.cjs.

const changedKey = (address: string, list: string) => `\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:+Xg0q5gJzCPsX2NuhfVbeW1bYMY7It09DcDWNv90TfU.
Please contact your system administrator.
Add correct host key in ${list} to get rid of this message.
Offending ED25519 key in ${list}:1
  remove with:
  ssh-keygen -f "${list}" -R "${address}"
Host key for ${address} has changed and you have requested strict checking.
Host key verification failed.
`;
const OPEN_KEY = `\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Permissions 0644 for '/keys/id' are too open.
It is required that your private key files are NOT accessible by others.
This private key will be ignored.
Load key "/keys/id": bad permissions
`;
const DENIED = "root@192.0.2.1: Permission denied (publickey).\n";
const NO_KEY = 'Load key "/keys/id": error in libcrypto\n';
const MISSING = "Warning: Identity file /keys/id not accessible: No such file or directory.\n";
const ADDED = "Warning: Permanently added '192.0.2.1' (ED25519) to the list of known hosts.\n";
const BANNER = "Authorized use only.\nAll activity is recorded.\n";
/** What ssh prints besides when the script has no connection for it. */
const CLOSED =
  "kex_exchange_identification: Connection closed by remote host\n" +
  "Connection closed by UNKNOWN port 65535\n";
const BASTION = "can't connect to 192.0.2.9 port 22: ";

const samples: [title: string, printed: string, reason: string][] = [
  ["an unknown host", "Host key verification failed.\n", "Host key verification failed"],
  [
    "an unknown host where that is asked for",
    "No ED25519 host key is known for 192.0.2.1 and you have requested strict checking.\n" +
      "Host key verification failed.\n",
    "No ED25519 host key is known for 192.0.2.1 and you have requested strict checking; " +
      "Host key verification failed",
  ],
  [
    "another key than in known_hosts",
    changedKey("192.0.2.1", "/root/.ssh/known_hosts"),
    "Offending ED25519 key in /root/.ssh/known_hosts:1; " +
      "Host key for 192.0.2.1 has changed and you have requested strict checking; " +
      "Host key verification failed",
  ],
  [
    "another key than hostKey",
    changedKey("192.0.2.1", "KnownHostsCommand-HOSTNAME"),
    "Host key for 192.0.2.1 has changed and you have requested strict checking; " +
      "Host key verification failed",
  ],
  ["a key that is refused", DENIED, "root@192.0.2.1: Permission denied (publickey)"],
  [
    "a key that is refused by a new host",
    ADDED + DENIED,
    "root@192.0.2.1: Permission denied (publickey)",
  ],
  [
    "a file that is no key, behind a banner",
    BANNER + NO_KEY + DENIED,
    'Load key "/keys/id": error in libcrypto; root@192.0.2.1: Permission denied (publickey)',
  ],
  [
    "a key that others can read",
    OPEN_KEY + DENIED,
    'Load key "/keys/id": bad permissions; root@192.0.2.1: Permission denied (publickey)',
  ],
  [
    "a key that is not there",
    MISSING + DENIED,
    "Warning: Identity file /keys/id not accessible: No such file or directory; " +
      "root@192.0.2.1: Permission denied (publickey)",
  ],
  [
    "more keys than the server takes",
    `${BANNER}Received disconnect from UNKNOWN port 65535:2: Too many authentication failures
Disconnected from UNKNOWN port 65535
`,
    "Received disconnect from UNKNOWN port 65535:2: Too many authentication failures",
  ],
  [
    "no algorithm that both have",
    "Unable to negotiate with UNKNOWN port 65535: no matching host key type found. Their offer: ssh-dss\n",
    "Unable to negotiate with UNKNOWN port 65535: no matching host key type found. Their offer: ssh-dss",
  ],
  [
    "a port that nobody listens on",
    `can't connect to 192.0.2.1 port 22: connect ECONNREFUSED 192.0.2.1:22\n${CLOSED}`,
    "can't connect to 192.0.2.1 port 22: connect ECONNREFUSED 192.0.2.1:22",
  ],
  [
    "a password that has expired",
    `${ADDED}You are required to change your password immediately (administrator enforced).
WARNING: Your password has expired.
Password change required but no TTY available.
`,
    "Password change required but no TTY available",
  ],
  [
    "a connection that was closed, and nothing else",
    "Connection closed by 192.0.2.1 port 22\n",
    "Connection closed by 192.0.2.1 port 22",
  ],
  [
    "a bastion that refuses the key",
    `${BASTION}${ADDED}${NO_KEY}${DENIED}${CLOSED}`,
    `${BASTION}Load key "/keys/id": error in libcrypto; root@192.0.2.1: Permission denied (publickey)`,
  ],
  [
    "a key that is not there, for a bastion too",
    `${MISSING}${BASTION}${MISSING}${DENIED}${CLOSED}`,
    `${BASTION}Warning: Identity file /keys/id not accessible: No such file or directory; ` +
      "root@192.0.2.1: Permission denied (publickey)",
  ],
  [
    "a bastion with another key",
    `${BASTION}${changedKey("192.0.2.1", "/root/.ssh/known_hosts")}${CLOSED}`,
    `${BASTION}Offending ED25519 key in /root/.ssh/known_hosts:1; ` +
      "Host key for 192.0.2.1 has changed and you have requested strict checking; " +
      "Host key verification failed",
  ],
  [
    "a bastion that does not get there",
    `${BASTION}channel 0: open failed: connect failed: Connection refused
stdio forwarding failed
${CLOSED}`,
    `${BASTION}channel 0: open failed: connect failed: Connection refused`,
  ],
  [
    "a bastion that forwards nothing, with a warning of OpenSSH 10",
    `${BASTION}** WARNING: connection is not using a post-quantum key exchange algorithm.
** This session may be vulnerable to "store now, decrypt later" attacks.
** The server may need to be upgraded. See https://openssh.com/pq.html
channel 0: open failed: administratively prohibited: open failed
stdio forwarding failed
${CLOSED}`,
    `${BASTION}channel 0: open failed: administratively prohibited: open failed`,
  ],
  [
    "a bastion without an address",
    `${BASTION}ssh: Could not resolve hostname gate: Name or service not known\n${CLOSED}`,
    `${BASTION}ssh: Could not resolve hostname gate: Name or service not known`,
  ],
];

describe("sshFailure", () => {
  for (const [title, printed, reason] of samples) {
    it(`tells of ${title}`, () => {
      assert.equal(sshFailure(printed), reason);
    });
  }

  it("tells nothing of nothing", () => {
    assert.equal(sshFailure("\n"), undefined);
  });
});
