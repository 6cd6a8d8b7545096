// Puts a cluster's client file into an IPython profile of this machine, or takes it away again.
//
//   node client-profile.cjs write|remove PROFILE < {"cluster": NAME, "owner": ID, "client": {...}}
//
// A marker in the profile says which cluster made it, and which folders were made for it. The
// client file of another cluster, or one made by hand, is neither overwritten nor removed.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const [action, profile] = process.argv.slice(2);
const request = JSON.parse(fs.readFileSync(0, "utf8"));

const ipythonDir = process.env.IPYTHONDIR || path.join(os.homedir(), ".ipython");
const profileDir = path.join(ipythonDir, `profile_${profile}`);
const clientFile = path.join(profileDir, "security", "ipcontroller-client.json");
const markerFile = path.join(profileDir, "pulumi.json");

function fail(message) {
  process.stderr.write(`profile ${profile}: ${message}\n`);
  process.exit(1);
}

function readMarker() {
  try {
    return JSON.parse(fs.readFileSync(markerFile, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    return fail(`${markerFile} can't be read (${error.message}); remove it if it is not needed`);
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
        `(the key "profile" in the stack file)`,
    );
  }
  if (marker === undefined && fs.existsSync(clientFile)) {
    fail(
      `${clientFile} exists and was not made by Pulumi. Choose another "profile" in the stack ` +
        `file, or move that file away`,
    );
  }
  const folders = makeFolders(path.dirname(clientFile), 0o700);
  writeFile(
    markerFile,
    JSON.stringify({
      cluster: request.cluster,
      owner: request.owner,
      folders: marker === undefined ? folders : marker.folders,
    }),
  );
  writeFile(clientFile, `${JSON.stringify(request.client, undefined, 2)}\n`);
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
  const marker = readMarker();
  if (marker === undefined || marker.owner !== request.owner) return;
  fs.rmSync(clientFile, { force: true });
  fs.rmSync(markerFile, { force: true });
  if (marker.folders.includes(profileDir)) {
    const startup = path.join(profileDir, "startup");
    if (fs.existsSync(startup) && fs.readdirSync(startup).join() === "README") {
      fs.rmSync(path.join(startup, "README"));
    }
    for (const folder of IPYTHON_FOLDERS) removeIfEmpty(path.join(profileDir, folder));
  }
  for (const folder of marker.folders.reverse()) removeIfEmpty(folder);
  if (marker.folders.includes(profileDir) && fs.existsSync(profileDir)) {
    process.stderr.write(
      `${profileDir} is left, since it holds files of yours: ${fs.readdirSync(profileDir).join(", ")}\n`,
    );
  }
}

({ write, remove })[action]();
