// The token that changes need where the console is open to other machines (listen.token). It stays in this tab: in memory, and
// in the tab's session so that reloading keeps it. Reading needs none, so the server-sent events do not either.

const KEY = "highwater.token";
const dialog = document.getElementById("sign-in");
const field = document.getElementById("token");
const button = document.getElementById("sign-in-button");
let token = remembered();

/** What a request brings. */
export function authorization() {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/** Asks for the token, and says why. Answers whether there is one now. */
export function askForToken(why) {
  document.getElementById("sign-in-why").textContent = why;
  field.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "given");
  });
}

function remembered() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function keep(value) {
  token = value;
  try {
    if (value === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  } catch {
    // The browser keeps nothing: then it is in memory only.
  }
  show();
}

function show() {
  button.textContent = token === null ? "Sign in" : "Sign out";
}

document.getElementById("sign-in-form").onsubmit = (event) => {
  event.preventDefault();
  if (field.value.trim() === "") return;
  keep(field.value.trim());
  field.value = "";
  dialog.close("given");
};
document.getElementById("sign-in-cancel").onclick = () => dialog.close("");
button.onclick = () => (token === null ? askForToken("Pausing, resuming and retrying need it where the console is open to other machines.") : keep(null));
show();
