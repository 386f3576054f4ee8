export { type Dialect, dialectOf } from '@trove/migrations';
