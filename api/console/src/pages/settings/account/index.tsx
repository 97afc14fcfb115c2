import { Section } from '../../../ui'
import { Email } from './email'
import { Factor } from './factor'
import { Identities } from './identities'
import { t } from './messages'
import { Password } from './password'
import { DeleteAccount } from './remove'
import { Sessions } from './sessions'

// Account is what is about the person, in whichever workspace.
export function Account() {
  return (
    <>
      <Section title={t('signIn')}>
        <Email />
        <Password />
        <Factor />
      </Section>
      <Identities />
      <Sessions />
      <section class="section">
        <DeleteAccount />
      </section>
    </>
  )
}
