import { ANY_ADDRESS } from "./connectionFiles";
import type { ControllerPorts } from "./ports";

/** What decides the text of `ipcontroller_config.py`. */
export interface ControllerSettings {
  ports: ControllerPorts;
  /** Milliseconds between two heartbeats; an engine's registration completes on one. */
  heartbeatPeriod: number;
  /** Seconds without a heartbeat after which an engine counts as lost. */
  heartbeatTimeout: number;
  /** Memory of the container, in MiB. */
  memoryMiB: number;
  /** Whether there are engines on other hosts than the controller's. */
  severalHosts: boolean;
}

/**
 * Text of `ipcontroller_config.py`. It holds no secret: the Curve keys are read from
 * `security/curve.json` beside it, the HMAC key from the connection files.
 */
export function controllerConfig({
  ports,
  heartbeatPeriod,
  heartbeatTimeout,
  memoryMiB,
  severalHosts,
}: ControllerSettings): string {
  const misses = Math.max(1, Math.round((heartbeatTimeout * 1000) / heartbeatPeriod));
  return `# Written by Pulumi: a change made here is undone by the next \`pulumi up\`.
import json
from pathlib import Path

c = get_config()  # noqa: F821
curve = json.loads((Path(__file__).parent / "security" / "curve.json").read_text())

c.IPController.engine_ip = c.IPController.client_ip = ${JSON.stringify(ANY_ADDRESS)}
c.IPController.engine_ports = ${JSON.stringify(ports.engine)}
c.IPController.client_ports = ${JSON.stringify(ports.client)}
c.IPController.ports = ${JSON.stringify(ports.internal)}
c.IPController.reuse_files = True
c.IPController.restore_engines = True
c.IPController.enable_curve = True
c.IPController.curve_publickey = curve["public"].encode()
c.IPController.curve_secretkey = curve["secret"].encode()
c.Controller.memory = ${String(memoryMiB)} * 2**20
c.Controller.several_hosts = ${severalHosts ? "True" : "False"}
c.HeartMonitor.period = ${String(heartbeatPeriod)}
c.HeartMonitor.max_heartmonitor_misses = ${String(misses)}
`;
}
