export { asText, At, Facts, Id, When } from '../../ui' // for the pages of the audit log and of the account
