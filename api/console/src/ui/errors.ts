import { language } from '../i18n'
import type { Failure } from '../api/errors'
import { t } from './messages'

// The messages of the API are in English. Those that people meet most have a Russian one here, by code.
const russian: Record<string, string> = {
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
  return (language.value === 'ru' && russian[failure.code]) || failure.message
}
