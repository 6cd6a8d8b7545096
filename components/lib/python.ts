/**
 * Versions of Python that an image can have: what docker/requirements.txt locks has wheels for each.
 */
export const PYTHONS = ["3.11", "3.12", "3.13", "3.14"] as const;

/** The Python of a cluster that names none. */
export const DEFAULT_PYTHON = "3.11";

/** Whether an image can have a version of Python. */
export function isSupportedPython(version: string): boolean {
  return (PYTHONS as readonly string[]).includes(version);
}

/** The image that the Dockerfile of workers begins from where none is named. */
export function officialBase(python = DEFAULT_PYTHON): string {
  return `python:${python}-slim-bookworm`;
}
