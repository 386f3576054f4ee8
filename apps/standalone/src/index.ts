export { runDemo } from './demo/main.ts';
