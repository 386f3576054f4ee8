/** Why a catalog cannot be moved; the text is for the operator and says what to do. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}
