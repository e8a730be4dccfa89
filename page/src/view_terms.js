/** The terms of a policy: sliders for strike, amount and days, choices of token and style. */
import { html } from 'lit-html';
import { live } from 'lit-html/directives/live.js';
import { AMOUNTS, LEAST_DAYS, MOST_DAYS, satsOf, strikeRange } from './quoting.js';
import { btcText, usdText } from './units.js';

const STRIKE_STEP = 100;

export function terms({ terms: chosen, config, spot, purchase }, { change }) {
  const isBusy = purchase !== null;
  return html`
    <form class="card terms" aria-labelledby="terms-title" @submit=${(event) => event.preventDefault()}>
      <h2 id="terms-title">Design your policy</h2>
      <fieldset class="bare" ?disabled=${isBusy}>
        ${strike(chosen, { spot, config }, change)}
        ${slider({
          id: 'amount',
          label: 'Bitcoin protected',
          text: btcText(satsOf(chosen.amount)),
          least: 0,
          most: AMOUNTS.length - 1,
          value: AMOUNTS.indexOf(chosen.amount),
          input: (value) => change({ amount: AMOUNTS[value] }),
        })}
        ${slider({
          id: 'days',
          label: 'For',
          text: `${chosen.days} days`,
          least: LEAST_DAYS,
          most: MOST_DAYS,
          value: chosen.days,
          input: (value) => change({ days: value }),
        })}
        <div class="pair">
          ${choice('token', 'Paid in', { STX: 'STX', sBTC: 'sBTC' }, chosen.token, (token) => change({ token }))}
          ${choice('style', 'Payout', { american: 'Any time', european: 'At the end' }, chosen.style, (style) =>
            change({ style }),
          )}
        </div>
      </fieldset>
    </form>
  `;
}

function strike(chosen, { spot, config }, change) {
  if (spot === null || chosen.strike === null) {
    return slider({ id: 'strike', label: 'Protected price', text: '…', least: 0, most: 1, value: 1, input: () => {} });
  }
  const { lowest, highest } = strikeRange(spot, config.offers);
  const share = Math.round((100 * chosen.strike) / spot);
  return slider({
    id: 'strike',
    label: 'Protected price',
    text: usdText(chosen.strike),
    more: `${share} % of today’s`,
    least: lowest,
    most: Math.max(highest, chosen.strike),
    step: STRIKE_STEP,
    value: chosen.strike,
    input: (value) => change({ strike: value }),
  });
}

function slider({ id, label, text, more = '', least, most, step = 1, value, input }) {
  return html`
    <div class="slider">
      <label for=${id}>${label}</label>
      <output for=${id}>${text} <span class="small">${more}</span></output>
      <input
        id=${id}
        type="range"
        min=${least}
        max=${most}
        step=${step}
        .value=${live(String(value))}
        aria-valuetext=${more === '' ? text : `${text}, ${more}`}
        @input=${(event) => input(Number(event.target.value))}
      />
    </div>
  `;
}

function choice(name, label, options, chosen, pick) {
  return html`
    <fieldset class="choice">
      <legend>${label}</legend>
      <div class="segments">
        ${Object.entries(options).map(
          ([value, text]) => html`
            <label>
              <input
                type="radio"
                name=${name}
                value=${value}
                .checked=${live(value === chosen)}
                @change=${() => pick(value)}
              />
              <span>${text}</span>
            </label>
          `,
        )}
      </div>
    </fieldset>
  `;
}
