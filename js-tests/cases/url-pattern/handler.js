const pattern = new URLPattern({ pathname: "/users/:id/:rest*" });
export const handler = async (event) => ({
  groups: pattern.exec("https://a.example/users/7/posts/8")?.pathname.groups,
  miss: pattern.test("https://a.example/pets/7"),
});
