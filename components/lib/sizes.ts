import { Mistake } from "./mistake";

const UNITS: Record<string, number> = { MiB: 1, GiB: 1024, TiB: 1024 * 1024 };

/** What a size looks like: a number and MiB, GiB or TiB. */
export const SIZE_PATTERN = /^(\d+(?:\.\d+)?) ?(MiB|GiB|TiB)$/;

/**
 * Mebibytes in a size such as `512MiB` or `1.5GiB`.
 *
 * @throws if the text is not such a size, or not a whole number of MiB.
 */
export function mebibytes(size: string): number {
  const [, amount, unit] = SIZE_PATTERN.exec(size) ?? [];
  const result = Number(amount) * (UNITS[unit ?? ""] ?? NaN);
  if (!Number.isInteger(result)) {
    throw new Mistake(`${size} is not a whole number of MiB, such as 512MiB or 1.5GiB`);
  }
  return result;
}
