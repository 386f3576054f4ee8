export { type CliIo, createCli } from './cli.ts';
export { EXIT, type ExitCode } from './exit.ts';
export { createManage } from './manage/manage.ts';
export type { ConfigSources, Outside } from './manage/session.ts';
export { runAsProcess } from './run_as_process.ts';
