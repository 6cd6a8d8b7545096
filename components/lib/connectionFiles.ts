import type { ControllerPorts } from "./ports";

/** The content of `ipcontroller-engine.json` or `ipcontroller-client.json`. */
export type ConnectionFile = Record<string, string | number | number[]>;

/** What both connection files of a cluster hold besides ports and address. */
export interface ConnectionSecrets {
  /** Key that signs every message. */
  hmac: string;
  /** The controller's public CurveZMQ key, Z85 encoded. */
  curveServerKey: string;
}

/** The address that ipcontroller itself binds to: every one in its container. */
export const ANY_ADDRESS = "0.0.0.0";

/** An address as it is written before a port: an IPv6 one in brackets. */
export function beforePort(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function common(address: string, secrets: ConnectionSecrets): ConnectionFile {
  return {
    ssh: "",
    interface: `tcp://${beforePort(address)}`,
    location: address,
    key: secrets.hmac,
    curve_serverkey: secrets.curveServerKey,
    pack: "json",
    unpack: "json",
    signature_scheme: "hmac-sha256",
  };
}

/**
 * The engines' connection file, with the keys in the order of `init_hub` in
 * `ipyparallel/controller/app.py`.
 *
 * @param address the controller's, as seen from the engines.
 */
export function engineFile(
  address: string,
  ports: ControllerPorts,
  secrets: ConnectionSecrets,
): ConnectionFile {
  const [registration, control, mux, task, iopub, hbPing, hbPong, ...broadcast] = ports.engine;
  return {
    ...common(address, secrets),
    registration: registration as number,
    control: control as number,
    mux: mux as number,
    task: task as number,
    iopub: iopub as number,
    hb_ping: hbPing as number,
    hb_pong: hbPong as number,
    broadcast,
  };
}

/**
 * The clients' connection file.
 *
 * @param address the controller's, as seen from the clients.
 */
export function clientFile(
  address: string,
  ports: ControllerPorts,
  secrets: ConnectionSecrets,
): ConnectionFile {
  const [control, mux, task, iopub, notification, broadcast] = ports.client as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    ...common(address, secrets),
    registration: ports.engine[0] as number,
    control,
    mux,
    task,
    task_scheme: "leastload",
    iopub,
    notification,
    broadcast,
  };
}
