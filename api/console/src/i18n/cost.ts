// Costs, alike on all pages: the API has them in millionths of the operator's currency, and does not name it.
import { dictionary, money } from '.'

const t = dictionary({
  en: { title: 'Cost (operator’s currency)', one: 'cost {cost} (operator’s currency)' },
  ru: { title: 'Стоимость (валюта оператора)', one: 'цена {cost} (валюта оператора)' },
})

// costTitle is the name of a column or chart whose numbers money makes.
export const costTitle = () => t('title')

// costOf says a cost among other facts.
export const costOf = (micros: number) => t('one', { cost: money(micros) })
