import {
  createHash,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
} from "node:crypto";

/** Everything secret of a cluster, derived from one seed. */
export interface KeySet {
  /** Key that signs every message (HMAC-SHA-256). */
  hmac: string;
  /** The controller's CurveZMQ key pair, Z85 encoded. */
  curve: CurveKeyPair;
  /** The key that Pulumi logs in to the containers with. */
  client: SshKeyPair;
}

export interface CurveKeyPair {
  public: string;
  secret: string;
}

export interface SshKeyPair {
  /** Private key, as text in the format of those who read it. */
  private: string;
  /** Public key as in `authorized_keys`: type and Base64, no comment. */
  public: string;
}

/**
 * The fingerprint of a cluster: it differs from that of any other, and reveals nothing of the seed.
 * It stays the same as long as the seed does, whatever happens to the stack's name or backend.
 */
export function fingerprint(seed: string): string {
  return createHash("sha256").update(`fingerprint ${seed}`).digest("hex").slice(0, 16);
}

/**
 * Derives a cluster's keys.
 *
 * One seed is kept in the state; each key is a one-way function (HKDF-SHA-256, RFC 5869) of it, of
 * the key's purpose and of the generation. So a new worker needs no new secret, a higher
 * generation replaces every key at once, and no key tells anything of another or of the seed.
 *
 * @param seed at least 32 random bytes, Base64 encoded.
 * @param generation number of rotations so far.
 */
export function deriveKeys(seed: string, generation: number): KeySet {
  return {
    hmac: derive(seed, generation, "hmac").toString("hex"),
    curve: curveKeyPair(derive(seed, generation, "curve")),
    client: sshKeyPair(derive(seed, generation, "ssh client"), pkcs8),
  };
}

/** Derives the SSH host key of one container; see {@link deriveKeys}. */
export function deriveHostKey(seed: string, generation: number, container: string): SshKeyPair {
  return sshKeyPair(derive(seed, generation, `ssh host ${container}`), openssh);
}

function derive(seed: string, generation: number, purpose: string): Buffer {
  const secret = Buffer.from(seed.trim(), "base64");
  if (secret.length < 32) {
    throw new Error(
      `a seed of ${String(secret.length)} bytes is too short: at least 32 are needed`,
    );
  }
  const info = `ipyparallel cluster, generation ${String(generation)}, ${purpose}`;
  return Buffer.from(hkdfSync("sha256", secret, Buffer.alloc(0), info, 32));
}

// DER of a PKCS #8 private key (RFC 8410) up to its 32 bytes.
const PKCS8_PREFIX = {
  ed25519: Buffer.from("302e020100300506032b657004220420", "hex"),
  x25519: Buffer.from("302e020100300506032b656e04220420", "hex"),
};

function keyPair(type: keyof typeof PKCS8_PREFIX, secret: Buffer): KeyObject {
  const der = Buffer.concat([PKCS8_PREFIX[type], secret]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

/** The 32 bytes of the public key that belongs to a private one. */
function rawPublicKey(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
}

function curveKeyPair(secret: Buffer): CurveKeyPair {
  return { public: z85(rawPublicKey(keyPair("x25519", secret))), secret: z85(secret) };
}

const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** Encodes bytes, a multiple of four, as ZeroMQ does (RFC 32/Z85). */
export function z85(bytes: Buffer): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) {
    let value = bytes.readUInt32BE(at);
    let group = "";
    for (let digit = 0; digit < 5; digit++) {
      group = Z85.charAt(value % 85) + group;
      value = Math.floor(value / 85);
    }
    text += group;
  }
  return text;
}

function sshKeyPair(secret: Buffer, format: (key: KeyObject) => string): SshKeyPair {
  const key = keyPair("ed25519", secret);
  return {
    private: format(key),
    public: `ssh-ed25519 ${publicBlob(rawPublicKey(key)).toString("base64")}`,
  };
}

function publicBlob(publicBytes: Buffer): Buffer {
  return Buffer.concat([sshString("ssh-ed25519"), sshString(publicBytes)]);
}

/** A PKCS #8 file: Pulumi's plugin reads it, and each connection in the state holds but 119 bytes. */
function pkcs8(key: KeyObject): string {
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}

/** OpenSSH's own format, the only one that sshd reads; the layout is in OpenSSH's PROTOCOL.key. */
export function openssh(key: KeyObject): string {
  const secret = key.export({ format: "der", type: "pkcs8" }).subarray(-32);
  const publicBytes = rawPublicKey(key);
  const check = publicBytes.subarray(0, 4); // any number, written twice
  const body = Buffer.concat([
    check,
    check,
    publicBlob(publicBytes),
    sshString(Buffer.concat([secret, publicBytes])),
    sshString(""), // comment
  ]);
  const blockSize = 8;
  const padding = Buffer.from(
    Array.from({ length: (blockSize - (body.length % blockSize)) % blockSize }, (_, i) => i + 1),
  );
  const blob = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    sshString("none"), // cipher
    sshString("none"), // key derivation
    sshString(""), // its options
    uint32(1), // number of keys
    sshString(publicBlob(publicBytes)),
    sshString(Buffer.concat([body, padding])),
  ]);
  const lines = blob.toString("base64").match(/.{1,70}/g) ?? [];
  return [
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    ...lines,
    "-----END OPENSSH PRIVATE KEY-----",
    "",
  ].join("\n");
}

function sshString(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
