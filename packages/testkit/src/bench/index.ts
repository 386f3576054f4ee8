export { type Contender, loadFor, type Measurement, measure, median } from './measure.ts';
export { table } from './table.ts';
