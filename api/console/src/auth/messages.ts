import { dictionary } from '../i18n'

export const t = dictionary({
  en: {
    signIn: 'Sign in', signInTitle: 'Sign in to Parley', register: 'Create an account', registerTitle: 'Create your account', registerLead: 'You get a workspace of your own. People can be invited later.',
    email: 'Email address', password: 'Password', newPassword: 'Password', passwordHint: 'At least 8 characters.', workspace: 'Name of the workspace', workspaceHint: 'Such as your company.', forgot: 'Forgot the password?',
    noAccount: 'No account yet?', haveAccount: 'Have an account?', orWith: 'or', continueWith: 'Continue with {name}', wrong: 'Wrong email address or password.',
    codeTitle: 'Second factor', codeLead: 'Enter the code of your authenticator app, or one of your recovery codes.', code: 'Code', confirm: 'Confirm', back: 'Back',
    forgotTitle: 'Set another password', forgotLead: 'We send a link to the address, if an account has it.', sendLink: 'Send the link', sentTitle: 'Look into your mailbox', sentText: 'If {email} has an account, a link is on its way. It works once, for an hour. Where this server sends no email, ask its operator for a link.',
    toSignIn: 'Back to sign-in', again: 'Your session has ended', againText: 'Sign in again to go on. Nothing on this page is lost.', signOut: 'Sign out', signingIn: 'Signing in…', providerFailed: 'The sign-in did not work ({code}). Begin again.',
    haveInvitation: 'Have an invitation?', acceptTitle: 'Accept the invitation', acceptLead: 'You join a workspace of Parley.', invitationToken: 'Token of the invitation', acceptHint: 'Of your account with the address that was invited. If there is none yet, choose one of 8 characters or more.', accept: 'Join', notNow: 'Not now',
    tagline: 'Build bots that answer from your documents.',
  },
  ru: {
    signIn: 'Войти', signInTitle: 'Вход в Parley', register: 'Создать учётную запись', registerTitle: 'Новая учётная запись', registerLead: 'У вас будет своё рабочее пространство. Людей можно пригласить позже.',
    email: 'Электронная почта', password: 'Пароль', newPassword: 'Пароль', passwordHint: 'Не меньше 8 символов.', workspace: 'Название пространства', workspaceHint: 'Например, ваша компания.', forgot: 'Забыли пароль?',
    noAccount: 'Ещё нет учётной записи?', haveAccount: 'Уже есть учётная запись?', orWith: 'или', continueWith: 'Войти через {name}', wrong: 'Неверный адрес или пароль.',
    codeTitle: 'Второй фактор', codeLead: 'Введите код из приложения или один из кодов восстановления.', code: 'Код', confirm: 'Подтвердить', back: 'Назад',
    forgotTitle: 'Новый пароль', forgotLead: 'Мы отправим ссылку на этот адрес, если у него есть учётная запись.', sendLink: 'Отправить ссылку', sentTitle: 'Проверьте почту', sentText: 'Если у {email} есть учётная запись, ссылка уже в пути. Она работает один раз, в течение часа. Если сервер не отправляет почту, попросите ссылку у администратора.',
    toSignIn: 'Вернуться ко входу', again: 'Сеанс завершился', againText: 'Войдите снова, чтобы продолжить. Всё на странице сохранится.', signOut: 'Выйти', signingIn: 'Входим…', providerFailed: 'Войти не удалось ({code}). Начните заново.',
    haveInvitation: 'Есть приглашение?', acceptTitle: 'Принять приглашение', acceptLead: 'Вы войдёте в рабочее пространство Parley.', invitationToken: 'Код приглашения', acceptHint: 'Пароль учётной записи с адресом из приглашения. Если её ещё нет, придумайте пароль от 8 символов.', accept: 'Присоединиться', notNow: 'Не сейчас',
    tagline: 'Боты, которые отвечают по вашим документам.',
  },
})
