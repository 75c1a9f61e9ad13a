curl 'http://shop.test:8000/login' \
  -H 'accept: application/json' \
  -H 'accept-language: en-GB,en;q=0.9' \
  -H 'content-type: application/json' \
  -b 'session=0123456789abcdef; theme=dark' \
  -H 'origin: http://shop.test:8000' \
  -H 'priority: u=1, i' \
  -H 'referer: http://shop.test:8000/' \
  -H 'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"' \
  -H 'sec-fetch-mode: cors' \
  -H 'user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36' \
  -H 'x-requested-with: XMLHttpRequest' \
  --data-raw $'{"user":"ann","password":"hunter2","note":"it\'s \\"quoted\\" \u0021 ${x} `y`","items":[{"sku":"A-1","count":2,"price":9.5},{"sku":"B-22","count":1,"price":120.0}],"new":true}' ;
curl 'http://shop.test:8000/quality/insights?page=2&sort=name' \
  -H 'authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc' --compressed ;
curl 'http://shop.test:8000/search?q=load%20test%20tools&category=books&limit=20&offset=40&fields=name&fields=price&order=desc' --insecure
