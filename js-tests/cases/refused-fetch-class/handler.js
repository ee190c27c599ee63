export default class {
  fetch() {}
}
