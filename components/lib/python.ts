/**
 * Versions of Python that an image can have: what docker/requirements.txt locks has wheels for each.
 */
export const PYTHONS = ["3.11", "3.12", "3.13", "3.14"] as const;

/** The Python of images that name none, and of the clients that set-up makes. */
export const DEFAULT_PYTHON = "3.11";

/** The image that the Dockerfile of workers begins from where none is named. */
export function officialBase(python = DEFAULT_PYTHON): string {
  return `python:${python}-slim-bookworm`;
}
