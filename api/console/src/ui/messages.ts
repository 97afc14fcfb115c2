import { dictionary } from '../i18n'

export const t = dictionary({
  en: {
    copy: 'Copy', copied: 'Copied', close: 'Close', cancel: 'Cancel', retry: 'Try again', retryIn: { one: 'Try again in {n} s', other: 'Try again in {n} s' },
    failed: 'That did not work', traceId: 'Trace id', copyTrace: 'Copy the trace id', offline: 'No connection to the server. Check the network and try again.',
    busy: 'The server is busy. Try again in a moment.', loading: 'Loading…', more: 'Show more', leaveTitle: 'Leave without saving?', leaveText: 'Your changes on this page will be lost.',
    leave: 'Leave', stay: 'Stay', notifications: 'Notifications', optional: 'optional', added: 'added', removed: 'removed', noDifference: 'No difference.', dismiss: 'Dismiss',
    showPassword: 'Show the password', hidePassword: 'Hide the password', copyFailed: 'The browser did not allow the copy. Select the text instead.', documentTypes: 'PDF, Word, PowerPoint, Excel, HTML, Markdown, text, CSV, EPUB or JSON', factorNeeded: 'One more step to get in', setFactor: 'Set up a second factor', factorMissing: 'This workspace requires a second factor. Set up an authenticator app, and go on.',
    password: 'Password', code: 'Code of your app', freshTitle: 'Confirm that it is you', freshGo: 'Confirm and go on',
  },
  ru: {
    copy: 'Копировать', copied: 'Скопировано', close: 'Закрыть', cancel: 'Отмена', retry: 'Повторить', retryIn: { one: 'Повторить через {n} с', other: 'Повторить через {n} с' },
    failed: 'Не получилось', traceId: 'Номер запроса', copyTrace: 'Копировать номер запроса', offline: 'Нет связи с сервером. Проверьте сеть и повторите.',
    busy: 'Сервер занят. Повторите чуть позже.', loading: 'Загрузка…', more: 'Показать ещё', leaveTitle: 'Уйти без сохранения?', leaveText: 'Изменения на этой странице пропадут.',
    leave: 'Уйти', stay: 'Остаться', notifications: 'Уведомления', optional: 'необязательно', added: 'добавлено', removed: 'удалено', noDifference: 'Различий нет.', dismiss: 'Убрать',
    showPassword: 'Показать пароль', hidePassword: 'Скрыть пароль', copyFailed: 'Браузер не разрешил копирование. Выделите текст сами.', documentTypes: 'PDF, Word, PowerPoint, Excel, HTML, Markdown, текст, CSV, EPUB или JSON', factorNeeded: 'Остался один шаг', setFactor: 'Настроить второй фактор', factorMissing: 'В этом пространстве нужен второй фактор. Настройте приложение-аутентификатор и продолжайте.',
    password: 'Пароль', code: 'Код из приложения', freshTitle: 'Подтвердите, что это вы', freshGo: 'Подтвердить и продолжить',
  },
})
