/** Something that the user of a component or of a stack file got wrong; the message says all. */
export class Mistake extends Error {
  override name = "Mistake";
}
