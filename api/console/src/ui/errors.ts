import { language } from '../i18n'
import type { Failure } from '../api/errors'
import { t } from './messages'

// The messages of the API speak to programs. Those that people meet most have a text for people here, by code.
const english: Record<string, string> = {
  OUTPUT_INVALID: 'The answer does not fit the output schema of the bot.',
  TOO_MANY_TURNS: 'Too many answers are being written just now. Wait a moment.',
  THREAD_BUSY: 'An answer is still being written in this conversation.',
  WRONG_CODE: 'This code is wrong, or was used already.',
  EMAIL_NOT_VERIFIED: 'Verify your email address first.',
  INVALID_TICKET: 'That took too long. Sign in again.',
  VERSION_CONFLICT: 'Somebody else has saved another version meanwhile.',
  TOOL_LOOP: 'The bot made the same failing call of a tool again and again. Change its instruction or the description of the tool.',
  TOOL_CALL_DECIDED: 'This call was decided already.',
  DOCUMENT_EXISTS: 'The same document is here already.',
  SECOND_FACTOR_EXISTS: 'There is a second factor already. Remove it before you set up another.',
  SECOND_FACTOR_NOT_FOUND: 'There is no second factor yet.',
  EXPORT_RUNNING: 'An export is already under way.',
}
const russian: Record<string, string> = {
  OUTPUT_INVALID: 'Ответ не подходит под схему ответа бота.',
  VERSION_CONFLICT: 'Кто-то другой уже сохранил новую версию.',
  TOOL_LOOP: 'Бот раз за разом повторял один и тот же неудачный вызов инструмента. Измените его инструкцию или описание инструмента.',
  TOOL_CALL_DECIDED: 'По этому вызову уже решено.',
  INVALID_CREDENTIALS: 'Неверный адрес или пароль.',
  EMAIL_ALREADY_EXISTS: 'Этот адрес уже занят. Войдите или восстановите пароль.',
  WRONG_CODE: 'Неверный или уже использованный код.',
  INVALID_TICKET: 'Время вышло. Войдите ещё раз.',
  SIGN_UP_CLOSED: 'Регистрация закрыта. Попросите приглашение.',
  RATE_LIMIT_EXCEEDED: 'Слишком много попыток. Подождите немного.',
  TOO_MANY_TURNS: 'Сейчас идёт слишком много ответов. Подождите немного.',
  FORBIDDEN: 'На это нет прав.',
  NOT_FOUND: 'Этого здесь нет.',
  BOT_NOT_FOUND: 'Такого бота нет.',
  THREAD_NOT_FOUND: 'Такого диалога нет.',
  THREAD_BUSY: 'В диалоге уже идёт ответ.',
  LIMIT_REACHED: 'Достигнут предел рабочего пространства.',
  EMAIL_NOT_VERIFIED: 'Сначала подтвердите адрес почты.',
  WORKSPACE_DELETED: 'Рабочее пространство удалено.',
  MODEL_CREDENTIALS: 'Провайдер не принял ключ модели. Проверьте ключ в настройках.',
  MODEL_NOT_FOUND: 'Провайдер не знает такой модели. Проверьте имя модели бота.',
  MODEL_QUOTA: 'У ключа модели закончилась квота.',
  MODEL_NOT_ALLOWED: 'Эта модель здесь не разрешена.',
  CONTENT_FILTERED: 'Модель отказалась отвечать на это.',
  CONTEXT_TOO_LONG: 'Диалог не помещается в модель. Начните новый или уменьшите history_limit.',
  DOWNSTREAM_UNAVAILABLE: 'Сервис временно недоступен. Повторите чуть позже.',
  INTERNAL_ERROR: 'Ошибка сервера. Сообщите номер запроса администратору.',
  VALIDATION_ERROR: 'Проверьте отмеченные поля.',
  CONFLICT: 'Так сделать сейчас нельзя.',
  DOCUMENT_EXISTS: 'Такой документ уже есть.',
  LAST_OWNER: 'У пространства должен остаться владелец.',
  REAUTHENTICATION_REQUIRED: 'Подтвердите, что это вы.',
  SECOND_FACTOR_EXISTS: 'Второй фактор уже настроен.',
  SECOND_FACTOR_NOT_FOUND: 'Второй фактор не настроен.',
  LINK_NOT_FOUND: 'Код или ссылка больше не действует. Запросите новое письмо.',
  EXPORT_RUNNING: 'Одна выгрузка уже идёт.',
  TOO_MANY_EXPORTS: 'Сегодня выгрузок уже было достаточно. Повторите завтра.',
  INVITATION_NOT_FOUND: 'Такого приглашения нет, или его отозвали.',
  INVITATION_USED: 'Приглашение уже использовано. Войдите.',
  INVITATION_EXPIRED: 'Приглашение истекло. Попросите новое.',
  PAYLOAD_TOO_LARGE: 'Слишком большой файл или текст.',
}

// messageOf returns what went wrong, in the language of the page where there is a text in it.
export function messageOf(failure: Failure): string {
  if (failure.code === 'NETWORK') return t('offline')
  if (failure.code === 'SECOND_FACTOR_MISSING' && failure.status === 403) return t('factorMissing')
  return (language.value === 'ru' ? russian : english)[failure.code] ?? failure.message.replace(/^\p{Ll}/u, (first) => first.toUpperCase())
}
