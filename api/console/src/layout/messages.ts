import { dictionary } from '../i18n'

export const t = dictionary({
  en: {
    skip: 'Skip to the content', nav: 'Main', sidebar: 'Sidebar', menu: 'Menu', workspaces: 'Workspaces', workspace: 'Workspace', newWorkspace: 'New workspace', account: 'Account',
    home: 'Home', bots: 'Bots', conversations: 'Conversations', knowledge: 'Knowledge', tools: 'Tools', channels: 'Channels', work: 'Work', usage: 'Usage', audit: 'Audit log', people: 'People', settings: 'Settings',
    groupBuild: 'Build', groupRun: 'Run', groupManage: 'Manage', theme: 'Theme', system: 'System', light: 'Light', dark: 'Dark', language: 'Language', docs: 'Documentation', signOut: 'Sign out',
    notFoundTitle: 'There is nothing here', notFoundText: 'The address may be old, or the page may belong to another workspace.', toHome: 'Go home', pageFailed: 'The page could not be loaded. A new version may have been installed.', reload: 'Reload',
    workspaceName: 'Name of the workspace', create: 'Create', noWorkspaceTitle: 'You are in no workspace', noWorkspaceText: 'Make one, or open the link of an invitation.', startFailed: 'The console cannot reach the server',
    owner: 'Owner', admin: 'Admin', editor: 'Editor', viewer: 'Viewer', crashed: 'This page has failed', accountSettings: 'Account settings', deletedName: '{name} (deleted)',
    deletedTitle: '{name} is deleted', deletedText: 'It was deleted on {date}. An owner can restore it until {until}; then everything in it is gone for good.', restore: 'Restore it', restored: '{name} is restored', goTo: 'Go to {name}',
  },
  ru: {
    skip: 'Перейти к содержимому', nav: 'Главное меню', sidebar: 'Боковая панель', menu: 'Меню', workspaces: 'Рабочие пространства', workspace: 'Рабочее пространство', newWorkspace: 'Новое пространство', account: 'Учётная запись',
    home: 'Главная', bots: 'Боты', conversations: 'Диалоги', knowledge: 'Знания', tools: 'Инструменты', channels: 'Каналы', work: 'Задания', usage: 'Расход', audit: 'Журнал', people: 'Люди', settings: 'Настройки',
    groupBuild: 'Создание', groupRun: 'Работа', groupManage: 'Управление', theme: 'Тема', system: 'Как в системе', light: 'Светлая', dark: 'Тёмная', language: 'Язык', docs: 'Документация', signOut: 'Выйти',
    notFoundTitle: 'Здесь ничего нет', notFoundText: 'Возможно, адрес устарел или страница из другого пространства.', toHome: 'На главную', pageFailed: 'Страница не загрузилась. Возможно, установлена новая версия.', reload: 'Обновить',
    workspaceName: 'Название пространства', create: 'Создать', noWorkspaceTitle: 'У вас нет рабочего пространства', noWorkspaceText: 'Создайте его или откройте ссылку приглашения.', startFailed: 'Нет связи с сервером',
    owner: 'Владелец', admin: 'Администратор', editor: 'Редактор', viewer: 'Читатель', crashed: 'Страница сломалась', accountSettings: 'Моя учётная запись', deletedName: '{name} (удалено)',
    deletedTitle: 'Пространство {name} удалено', deletedText: 'Оно удалено {date}. Владелец может восстановить его до {until}; потом всё в нём пропадёт навсегда.', restore: 'Восстановить', restored: 'Пространство {name} восстановлено', goTo: 'Перейти в {name}',
  },
})
