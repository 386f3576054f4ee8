import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  accountOfUrl,
  editIni,
  type Logger,
  type Secret,
  type TransportAccount,
  TroveError,
  urlWithAccount,
  writeFileDurably,
} from '@trove/common';
import { brokerPassword, guestAccount, type HeldKeys, type HeldKeysFile, type PasswordChoice } from '@trove/crypto-rpc';
import { type GuestConfig, loadGuestConfig } from '../options.ts';

const KEY_OPTION = 'instance_rpc_encr_key';
const URL_OPTION = 'sealed_transport_url';
/** What is let in clears the list; it grows only by keys that were changed while one connection stood. */
const PASSWORDS_AT_MOST = 16;

export interface InjectedFilesOptions {
  /** In the order in which they are read; a later one wins. */
  readonly configFiles: readonly string[];
  readonly instanceId: string;
  readonly logger: Logger;
  /** Default: `writeFileDurably`. For tests: dies at a write. */
  readonly write?: typeof writeFileDurably;
}

/**
 * The agent's own files as far as it changes them itself: its key with its version, and the password of its broker account,
 * which goes with the key. Each is replaced whole in one rename, keeps its owner, and is what the next start reads.
 */
export class InjectedFiles implements HeldKeysFile {
  readonly #options: InjectedFilesOptions;

  constructor(options: InjectedFilesOptions) {
    this.#options = options;
    for (const file of options.configFiles) removePartsOf(file);
  }

  read(): HeldKeys {
    const {
      instance_rpc_encr_key: text,
      instance_rpc_key_version: version,
      instance_rpc_bootstrap_until: bootstrapUntil,
      instance_rpc_pending_key: pendingText,
      instance_rpc_pending_version: pendingVersion,
    } = this.#config();
    if (text === undefined) throw new TroveError('CONFIG_INVALID', `[DEFAULT] ${KEY_OPTION} is not set`);
    const hasPending = pendingText !== undefined && pendingVersion !== undefined;
    return {
      active: { version, text, bootstrapUntil },
      ...(hasPending && { pending: { version: pendingVersion, text: pendingText } }),
    };
  }

  /** The password first: as long as the key has not changed, the one of before is still among those that are tried. */
  write(keys: HeldKeys): void {
    if (keys.active.version !== this.read().active.version)
      this.#changePassword(brokerPassword(keys.active.text.reveal()));
    const { active, pending } = keys;
    this.#edit(KEY_OPTION, {
      instance_rpc_encr_key: active.text.reveal(),
      instance_rpc_key_version: active.version === 1 ? undefined : String(active.version),
      instance_rpc_bootstrap_until: active.bootstrapUntil === undefined ? undefined : String(active.bootstrapUntil),
      instance_rpc_pending_key: pending?.text.reveal(),
      instance_rpc_pending_version: pending && String(pending.version),
    });
  }

  /** The passwords that the guest's own account may have; undefined where it shares one with others. */
  passwords(): PasswordChoice | undefined {
    if (this.#account() === undefined) return undefined;
    return {
      candidates: () => this.#passwords(),
      accepted: (password) => {
        try {
          this.#settlePassword(password);
        } catch (error) {
          this.#options.logger.warn('the passwords in the file could not be settled', { error });
        }
      },
    };
  }

  /** The present one, then those that it may still be, the newest first. */
  #passwords(): readonly Secret[] {
    const account = this.#account();
    return account === undefined ? [] : [account.password, ...this.#config().sealed_transport_passwords];
  }

  #changePassword(password: Secret): void {
    const account = this.#account();
    const url = this.#config().sealed_transport_url;
    if (account === undefined || url === undefined || same(account.password, password)) return;
    const others = this.#passwords().slice(0, PASSWORDS_AT_MOST);
    this.#edit(URL_OPTION, {
      sealed_transport_url: urlWithAccount(url, { ...account, password }, URL_OPTION).reveal(),
      ...passwordsOption(others),
    });
  }

  /** The one that was let in, and the one that goes with the key where the broker does not have it yet. */
  #settlePassword(accepted: Secret): void {
    const [present, ...others] = this.#passwords();
    const left = present === undefined || same(present, accepted) ? [] : [accepted];
    if (others.length !== left.length) this.#edit(URL_OPTION, passwordsOption(left));
  }

  #account(): TransportAccount | undefined {
    const url = this.#config().sealed_transport_url;
    const account = url && accountOfUrl(url);
    return account?.user === guestAccount(this.#options.instanceId) ? account : undefined;
  }

  #config(): GuestConfig['DEFAULT'] {
    return loadGuestConfig(this.#options.configFiles).DEFAULT;
  }

  /** Changes the file that has this option: of several the last, which is the one that counts. */
  #edit(holder: string, options: Readonly<Record<string, string | undefined>>): void {
    const { configFiles, write = writeFileDurably } = this.#options;
    const setsIt = new RegExp(`^${holder}\\s*[:=]`, 'm');
    const file = configFiles.findLast((path) => setsIt.test(readFileSync(path, 'utf8')));
    if (file === undefined) throw new TroveError('CONFIG_INVALID', `[DEFAULT] ${holder} is not set`);
    const { uid, gid, mode } = statSync(file);
    const owner = process.getuid?.() === 0 ? { owner: { uid, gid } } : {};
    write(file, editIni(readFileSync(file, 'utf8'), options), { mode: mode & 0o777, ...owner });
  }
}

function passwordsOption(passwords: readonly Secret[]): { sealed_transport_passwords: string | undefined } {
  const text = passwords.map((password) => password.reveal()).join(',');
  return { sealed_transport_passwords: text === '' ? undefined : text };
}

function same(one: Secret, other: Secret): boolean {
  return one.reveal() === other.reveal();
}

/** What a write that was interrupted has left holds a key too. */
function removePartsOf(file: string): void {
  const folder = dirname(file);
  const parts = readdirSync(folder).filter(
    (name) => name.startsWith(`${basename(file)}.`) && name.endsWith('.partial'),
  );
  for (const name of parts) rmSync(join(folder, name), { force: true });
}
