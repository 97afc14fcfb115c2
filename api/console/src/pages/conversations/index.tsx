// This page does not exist yet: pages/index.ts says so, and nothing leads here.
export { NotFound as default } from '../../layout/not-found'
