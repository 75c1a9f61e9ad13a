"""The shop of shop.rhai, as far as Locust's files go."""

from locust import HttpUser, between, task


class Shop(HttpUser):
    wait_time = between(0.01, 0.05)

    @task
    def shop(self):
        self.client.get("/quality/insights?page=1", name="/quality/insights")
        self.client.post("/quality/analyze", json={"source": "fn main() {}"})
        self.client.get("/health")
        self.client.get("/nosuch")
