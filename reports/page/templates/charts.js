/* Figures of one dataset at a time, where there are many; all of them without script. */
{
  const choice = document.getElementById("figures-dataset");
  if (choice) {
    const show = () => {
      for (const part of selectAll(document, "#figures .of-dataset")) {
        part.hidden = choice.value !== "" && part.dataset.place !== choice.value;
      }
    };
    choice.parentElement.hidden = false;
    choice.addEventListener("change", show);
    /* all of them on paper */
    let chosen = choice.value;
    addEventListener("beforeprint", () => { chosen = choice.value; choice.value = ""; show(); });
    addEventListener("afterprint", () => { choice.value = chosen; show(); });
    show();
  }
}
