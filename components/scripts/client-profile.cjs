// Puts a cluster's client file into an IPython profile of this machine, or takes it away again.
//
//   node client-profile.cjs write|remove PROFILE < {"cluster": NAME, "owner": ID, "client": {...}}
//
// A marker in the profile says which cluster made it, and which folders were made for it. The
// client file of another cluster, or one made by hand, is neither overwritten nor removed. `write`
// prints the SHA-256 of both files, by which it is seen later whether they were changed.
"use strict";

const { createHash } = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const [action, profile] = process.argv.slice(2);
const request = JSON.parse(fs.readFileSync(0, "utf8"));

const ipythonDir = process.env.IPYTHONDIR || path.join(os.homedir(), ".ipython");
const profileDir = path.join(ipythonDir, `profile_${profile}`);
const clientFile = path.join(profileDir, "security", "ipcontroller-client.json");
const markerFile = path.join(profileDir, "pulumi.json");
const client = `${JSON.stringify(request.client, undefined, 2)}\n`;

function fail(message) {
  process.stderr.write(`profile ${profile}: ${message}\n`);
  process.exit(1);
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

function read(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    return fail(`${file} can't be read (${error.message})`);
  }
}

// The marker, unless it is missing or damaged.
function readMarker() {
  try {
    const marker = JSON.parse(read(markerFile) ?? "");
    return typeof marker?.owner === "string" ? marker : undefined;
  } catch {
    return undefined;
  }
}

// Makes a folder and those above it that are missing; returns the ones made, outermost first.
function makeFolders(folder, mode) {
  if (fs.existsSync(folder)) return [];
  const made = makeFolders(path.dirname(folder), mode);
  fs.mkdirSync(folder, { mode });
  return [...made, folder];
}

// A reader sees the old content or the new one, never half of it.
function writeFile(file, content) {
  const temporary = `${file}.${process.pid}`;
  fs.writeFileSync(temporary, content, { mode: 0o600 });
  fs.renameSync(temporary, file);
}

function write() {
  const marker = readMarker();
  if (marker !== undefined && marker.owner !== request.owner) {
    fail(
      `it belongs to another cluster, ${marker.cluster}. Give this one a profile of its own ` +
        `(the key "profile" in the stack file), or remove ${markerFile} if that cluster is gone`,
    );
  }
  if (marker === undefined && ![undefined, client].includes(read(clientFile))) {
    fail(
      `${clientFile} exists and was not made by Pulumi. Choose another "profile" in the stack ` +
        `file, or move that file away`,
    );
  }
  const folders = makeFolders(path.dirname(clientFile), 0o700);
  const newMarker = JSON.stringify({
    cluster: request.cluster,
    owner: request.owner,
    folders: marker?.folders ?? folders,
    client: sha256(client),
  });
  writeFile(markerFile, newMarker);
  writeFile(clientFile, client);
  process.stdout.write(JSON.stringify({ client: sha256(client), marker: sha256(newMarker) }));
}

// What IPython itself puts into every profile that it opens.
const IPYTHON_FOLDERS = ["security", "log", "pid", "static", "startup"];

function removeIfEmpty(folder) {
  try {
    fs.rmdirSync(folder);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "ENOTEMPTY") throw error;
  }
}

function remove() {
  const present = read(clientFile);
  const marker = readMarker() ?? (present === client ? request : undefined);
  if (marker === undefined || marker.owner !== request.owner) return;
  const { folders = [] } = marker;
  if (present === undefined || present === client || sha256(present) === marker.client) {
    fs.rmSync(clientFile, { force: true });
  } else {
    process.stderr.write(`${clientFile} is left, since something else has written it\n`);
  }
  fs.rmSync(markerFile, { force: true });
  if (folders.includes(profileDir)) {
    const startup = path.join(profileDir, "startup");
    if (fs.existsSync(startup) && fs.readdirSync(startup).join() === "README") {
      fs.rmSync(path.join(startup, "README"));
    }
    for (const folder of IPYTHON_FOLDERS) removeIfEmpty(path.join(profileDir, folder));
  }
  for (const folder of folders.reverse()) removeIfEmpty(folder);
  if (folders.includes(profileDir) && fs.existsSync(profileDir)) {
    process.stderr.write(
      `${profileDir} is left, since it holds files of yours: ${fs.readdirSync(profileDir).join(", ")}\n`,
    );
  }
}

({ write, remove })[action]();
