import { isTroveError } from '@trove/common';

/** What the first host has. Where none has it and one did not answer, it may be there: then that one's error is thrown. */
export async function firstOf<Host, T>(
  hosts: readonly Host[],
  look: (host: Host) => Promise<T | undefined>,
  { allMustAnswer }: { readonly allMustAnswer: boolean },
): Promise<T | undefined> {
  const looks = await Promise.allSettled(hosts.map(look));
  for (const one of looks) if (one.status === 'fulfilled' && one.value !== undefined) return one.value;
  const silent = looks.find((one) => one.status === 'rejected');
  if (silent !== undefined && (allMustAnswer || !isTroveError(silent.reason, 'COMPUTE_ERROR'))) throw silent.reason;
  return undefined;
}

/** What each host says that answers; the error of one where none does. */
export async function answersOf<Host, T>(
  hosts: readonly Host[],
  ask: (host: Host) => Promise<T>,
): Promise<readonly T[]> {
  const answers = await Promise.allSettled(hosts.map(ask));
  const values = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const silent = answers.find((one) => one.status === 'rejected');
  if (values.length === 0 && silent !== undefined) throw silent.reason;
  return values;
}
