import { runAsProcess } from '@trove/cli';
import { assembleManage } from './assemble_manage.ts';

await runAsProcess('trove-manage', assembleManage());
