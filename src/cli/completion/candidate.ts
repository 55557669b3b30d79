/** A word that may stand where the cursor is, and what it is. */
export interface Candidate {
  readonly word: string;
  readonly note?: string;
}
