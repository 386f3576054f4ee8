import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface ServiceOptions {
  /** Of this one process: `taskmanager-2`. */
  readonly name: string;
  readonly program: string;
  readonly preload: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly env: NodeJS.ProcessEnv;
}

export const KEY_SETTINGS = ['taskmanager_rpc_encr_key', 'inst_rpc_key_encr_key', 'inst_rpc_uplink_encr_key'] as const;
export type KeySetting = (typeof KEY_SETTINGS)[number];

const RESTART_MS = 500;
const STOP_WITHIN_MS = 60_000;
/** What a service says on standard output once it works. */
const READY = /^trove-[a-z]+ ready/gm;

/** A service's process, started again whenever it ends, as an init system does, until it is stopped. */
export class Service {
  readonly name: string;
  readonly #options: ServiceOptions;
  #child: ChildProcess | undefined;
  #wanted = false;
  #clockMs = 0;
  #release = 1;
  #starts = 0;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.name = options.name;
  }

  get starts(): number {
    return this.#starts;
  }

  get release(): number {
    return this.#release;
  }

  /** Its code from the next start on. */
  install(release: number): void {
    this.#release = release;
  }

  get configFile(): string {
    return this.#options.configFile;
  }

  /** What it has said so far, through all its starts. */
  said(): string {
    return readFileSync(this.#options.logFile, 'utf8');
  }

  /** Restarted, or killed, and ready again; false where that was not so in time. */
  async renew(withinMs: number, isKilled = false): Promise<boolean> {
    const before = this.#timesReady();
    if (isKilled) this.kill();
    else this.restart();
    const end = performance.now() + withinMs;
    while (this.#timesReady() <= before && performance.now() < end) await delay(100);
    return this.#timesReady() > before;
  }

  /** Whether its file has this setting. */
  hasSetting(name: KeySetting): boolean {
    return settingLine(name).test(readFileSync(this.configFile, 'utf8'));
  }

  /** Writes the setting where the file has it; counts from the next start. */
  writeSetting(name: KeySetting, keys: readonly string[]): void {
    const text = readFileSync(this.configFile, 'utf8').replace(settingLine(name), `${name} = ${keys.join(',')}`);
    writeFileSync(this.configFile, text, { mode: 0o600 });
  }

  start(): void {
    this.#wanted = true;
    this.#spawn();
  }

  /** SIGKILL; it is started again. `clockMs`: from then on its clock is so far off. */
  kill(clockMs = 0): void {
    this.#clockMs = clockMs;
    this.#child?.kill('SIGCONT');
    this.#child?.kill('SIGKILL');
  }

  /** SIGTERM; it is started again. */
  restart(): void {
    this.#child?.kill('SIGTERM');
  }

  /** Stopped as by a long pause of its machine. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** SIGTERM and no other start; SIGKILL for one that does not end in time. */
  async stop(): Promise<void> {
    this.#wanted = false;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    await ended;
    clearTimeout(timer);
  }

  #timesReady(): number {
    return this.said().match(READY)?.length ?? 0;
  }

  #spawn(): void {
    const { program, preload, configFile, logFile, env } = this.#options;
    const log = openSync(logFile, 'a');
    const part = { CHAOS_NAME: this.name, CHAOS_START: String(this.#starts), CHAOS_RELEASE: String(this.#release) };
    const child = spawn(process.execPath, ['--import', preload, program, '--config-file', configFile], {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env, CHAOS_CLOCK_MS: String(this.#clockMs), ...part },
    });
    closeSync(log);
    this.#child = child;
    this.#starts += 1;
    child.once('exit', () => void this.#again());
  }

  async #again(): Promise<void> {
    await delay(RESTART_MS);
    if (this.#wanted) this.#spawn();
  }
}

function settingLine(name: KeySetting): RegExp {
  return new RegExp(`^${name} = .*$`, 'm');
}
