/* Published numbers under another protocol than the one shown are softer: they are no comparison for what stands beside them. */
{
  const soften = () => {
    for (const cell of selectAll(document, "[data-under]")) cell.classList.toggle("elsewhere", cell.dataset.under !== protocol.name);
  };
  protocol.listeners.push(soften);
  soften();
}
