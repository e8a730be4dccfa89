/* What a screen reader would stumble over: controls without a name, ids given twice, levels of headings left out. */
() => {
  const named = (element) =>
    [
      element.getAttribute('aria-label'),
      document.getElementById(element.getAttribute('aria-labelledby'))?.textContent,
      element.labels?.[0]?.textContent,
      element.textContent,
      element.getAttribute('alt'),
    ].some((name) => name?.trim());
  const controls = document.querySelectorAll('button, a, input, select, dialog[open], [role=img], section, form');
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  const levels = [...document.querySelectorAll('h1, h2, h3, h4')]
    .filter((heading) => heading.checkVisibility())
    .map(({ tagName }) => Number(tagName[1]));
  return {
    nameless: [...controls].filter((element) => !named(element)).map(({ outerHTML }) => outerHTML.slice(0, 80)),
    twice: ids.filter((id, index) => ids.indexOf(id) !== index),
    levels: levels.filter((level, index) => index > 0 && level > levels[index - 1] + 1),
    language: document.documentElement.lang,
    main: document.querySelectorAll('main').length,
    h1: document.querySelectorAll('h1').length,
  };
};
