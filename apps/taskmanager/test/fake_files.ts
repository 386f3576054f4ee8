import { accountOfUrl, editIni, Secret, urlWithAccount } from '@trove/common';
import type { InjectedFiles } from '@trove/compute';
import { brokerPassword, type HeldKeys, type HeldKeysFile, type PasswordChoice } from '@trove/crypto-rpc';
import { GUEST_AGENT_FILE, GUEST_INFO_FILE } from '../src/tasks/shared/guest_files.ts';

/** Where something is changed on a server: a fake's disk. */
export interface FilesHolder {
  files: InjectedFiles;
}

export type WritePoint = 'before password' | 'before key' | 'after key' | 'before pending' | 'after pending';

/** What an agent does with its files, on a server that is a map. */
export class FakeFiles implements HeldKeysFile {
  readonly #server: FilesHolder;
  readonly #at: (point: WritePoint) => void;

  constructor(server: FilesHolder, at: (point: WritePoint) => void) {
    this.#server = server;
    this.#at = at;
  }

  option(name: string): string | undefined {
    for (const text of Object.values(this.#server.files)) {
      const value = new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1];
      if (value !== undefined) return value;
    }
    return undefined;
  }

  read(): HeldKeys {
    const [until, pending] = [this.option('instance_rpc_bootstrap_until'), this.option('instance_rpc_pending_key')];
    const number = (name: string): number => Number(this.option(name) ?? 1);
    return {
      active: {
        version: number('instance_rpc_key_version'),
        text: new Secret(this.option('instance_rpc_encr_key') ?? ''),
        ...(until !== undefined && { bootstrapUntil: Number(until) }),
      },
      ...(pending !== undefined && {
        pending: { version: number('instance_rpc_pending_version'), text: new Secret(pending) },
      }),
    };
  }

  write({ active, pending }: HeldKeys): void {
    const isNew = active.version !== this.read().active.version;
    if (isNew) {
      this.#at('before password');
      this.#changePassword(brokerPassword(active.text.reveal()));
    }
    this.#at(isNew ? 'before key' : 'before pending');
    this.#edit(GUEST_INFO_FILE, {
      instance_rpc_encr_key: active.text.reveal(),
      instance_rpc_key_version: active.version === 1 ? undefined : String(active.version),
      instance_rpc_bootstrap_until: active.bootstrapUntil === undefined ? undefined : String(active.bootstrapUntil),
      instance_rpc_pending_key: pending?.text.reveal(),
      instance_rpc_pending_version: pending && String(pending.version),
    });
    this.#at(isNew ? 'after key' : 'after pending');
  }

  passwords(): PasswordChoice {
    return {
      candidates: () => this.#passwords().map((text) => new Secret(text)),
      accepted: (password) => {
        const [present] = this.#passwords();
        const left = present === password.reveal() ? undefined : password.reveal();
        this.#edit(GUEST_AGENT_FILE, { sealed_transport_passwords: left });
      },
    };
  }

  #passwords(): string[] {
    const present = accountOfUrl(new Secret(this.option('sealed_transport_url') ?? ''))?.password.reveal();
    const others = this.option('sealed_transport_passwords')?.split(',') ?? [];
    return present === undefined ? [] : [present, ...others];
  }

  #changePassword(password: Secret): void {
    const url = new Secret(this.option('sealed_transport_url') ?? '');
    const account = accountOfUrl(url);
    if (account === undefined || account.password.reveal() === password.reveal()) return;
    this.#edit(GUEST_AGENT_FILE, {
      sealed_transport_url: urlWithAccount(url, { ...account, password }, 'sealed_transport_url').reveal(),
      sealed_transport_passwords: this.#passwords().join(','),
    });
  }

  #edit(name: string, options: Record<string, string | undefined>): void {
    const { files } = this.#server;
    this.#server.files = { ...files, [name]: editIni(files[name] ?? '', options) };
  }
}
