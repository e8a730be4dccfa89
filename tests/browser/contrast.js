/* Which texts stand out from what is behind them by less than a ratio (WCAG 2, 1.4.3); run within the page. */
(least) => {
  const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) =>
    0.2126 * channel(red / 255) + 0.7152 * channel(green / 255) + 0.0722 * channel(blue / 255);
  const parts = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const isClear = (color) => parts(color).length === 4 && parts(color)[3] === 0;

  function behind(element) {
    for (let at = element; at !== null; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (!isClear(backgroundColor)) return parts(backgroundColor);
    }
    return [255, 255, 255];
  }

  function ratio(element) {
    const style = getComputedStyle(element);
    const text = parts(element.closest('svg') ? style.fill : style.color);
    const [high, low] = [luminance(text), luminance(behind(element))].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  }

  const texts = [...document.querySelectorAll('body *')].filter(
    (element) =>
      [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== '') &&
      element.checkVisibility() &&
      !element.matches('script, title, desc, :disabled, .hidden, .skip'),
  );
  return texts
    .filter((element) => ratio(element) < least)
    .map((element) => `${element.textContent.trim()}: ${ratio(element).toFixed(2)}`);
};
