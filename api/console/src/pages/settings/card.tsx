import type { ComponentChildren } from 'preact'

// Card is a setting: its name, how it is, a sentence about it, and buttons that change it.
export function Card({ title, badge, text, actions, children }: { title: ComponentChildren; badge?: ComponentChildren; text: ComponentChildren; actions?: ComponentChildren; children?: ComponentChildren }) {
  return (
    <div class="card provider">
      <header>
        <div class="about">
          <div class="title">
            <h3>{title}</h3>
            {badge}
          </div>
          <p>{text}</p>
        </div>
        {actions && <div class="buttons">{actions}</div>}
      </header>
      {children}
    </div>
  )
}
