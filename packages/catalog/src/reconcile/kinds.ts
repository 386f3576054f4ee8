/**
 * What a reconciler finds, and what it does about it. `deletes`: something outside or a key is gone afterwards, so a catalog
 * that is young or was restored is not enough of a reason. `asks`: never without an operator. `outside`: `listed` is found in
 * the list of what is outside, `sought` is looked for there before it is acted on.
 */
export const RECONCILE_KINDS = {
  unheard: { does: 'would remove it', deletes: true, asks: true, outside: 'listed' },
  unowned: { does: 'removes it', deletes: true, asks: false, outside: 'listed' },
  leftover: { does: 'removes what the failed build left', deletes: true, asks: false, outside: 'sought' },
  unsettled: { does: 'looks for it outside, and settles its row', deletes: true, asks: false, outside: 'sought' },
  dead_key: { does: 'erases the key', deletes: true, asks: false, outside: null },
  failed_delete: { does: 'deletes it again', deletes: true, asks: false, outside: null },
  status: { does: "settles the status by the server's, with a fault", deletes: false, asks: false, outside: null },
  slot: {
    does: 'frees the slot, or gives it to the task that waits for it',
    deletes: false,
    asks: false,
    outside: null,
  },
  volume_size: {
    does: 'books the size that the volume has, and counts it in the quota',
    deletes: false,
    asks: false,
    outside: 'listed',
  },
  smaller_volume: {
    does: 'books the size that the volume has, tells its tenant, and counts it in the quota',
    deletes: false,
    asks: true,
    outside: 'listed',
  },
  flavor: {
    does: 'books the flavor that the server has, and counts it in the quota',
    deletes: false,
    asks: false,
    outside: 'listed',
  },
  quota: { does: 'corrects the usage', deletes: false, asks: false, outside: null },
} as const;

export type ReconcileKind = keyof typeof RECONCILE_KINDS;

export const RECONCILE_KIND_NAMES: readonly ReconcileKind[] = Object.keys(RECONCILE_KINDS).filter(isReconcileKind);

export function isReconcileKind(name: string): name is ReconcileKind {
  return Object.hasOwn(RECONCILE_KINDS, name);
}

/** A difference between catalog and world. Kind and subject name it in every reading. */
export interface Difference {
  readonly kind: ReconcileKind;
  /** `server:<id>`, `account:<name>`, an instance's id, a resource's token, `<project>:<resource>`; up to 255 characters. */
  readonly subject: string;
  readonly instanceId: string | null;
  readonly detail: string;
}
