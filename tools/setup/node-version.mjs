// Refuses a Node.js that is too old, in one line and before anything runs: imported first.
const oldest = 20;

if (Number(process.versions.node.split(".")[0]) < oldest) {
  console.error(
    `error: Node.js must be ${oldest} or newer (got ${process.versions.node}, ${process.execPath}); ` +
      "install a newer one, then run this again",
  );
  process.exit(1);
}
