export { dialectOf } from '@trove/migrations';
