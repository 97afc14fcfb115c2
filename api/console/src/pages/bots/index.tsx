import type { PageProps } from '..'
import { Bot } from './bot'
import { BotsList } from './list'

export default function Bots({ params }: PageProps) {
  return params.bot ? <Bot key={params.bot} id={params.bot} tab={params.tab ?? 'playground'} /> : <BotsList />
}
