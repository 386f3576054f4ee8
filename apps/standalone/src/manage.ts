import { assembleManage } from './assemble_manage.ts';

process.exitCode = await assembleManage().run(process.argv.slice(2));
