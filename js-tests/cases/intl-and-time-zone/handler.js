// All locales, and UTC unless a zone is named.
export const handler = async () => ({
  german: new Intl.NumberFormat("de-DE", { style: "currency", currency: "EUR" }).format(1234.5).replace(/\s/g, " "),
  day: new Intl.DateTimeFormat("fr-FR", { weekday: "long", timeZone: "Asia/Tokyo" }).format(new Date(0)),
  offset: new Date(0).getTimezoneOffset(),
  plural: new Intl.PluralRules("pl").select(3),
});
