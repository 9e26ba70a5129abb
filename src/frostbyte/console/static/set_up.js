// Takes a link's secret out of the address, where no server has seen it, and opens it.

const secret = location.hash.slice(1);
const form = document.getElementById("open-link");
if (secret && form) {
  history.replaceState(null, "", location.pathname); // it stays in no history
  form.elements.link.value = secret;
  form.requestSubmit();
}
