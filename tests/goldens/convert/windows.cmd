curl ^"http://127.0.0.1:8000/login^" ^
  -H ^"accept: */*^" ^
  -H ^"content-type: application/json^" ^
  --data-raw ^"^{^\^"user^\^":^\^"ann^\^",^\^"path^\^":^\^"C:^\^\^\^\Temp^\^",^\^"share^\^":^\^"20^%^\^"^}^" &
curl ^"http://127.0.0.1:8000/quality/insights?page=2^&sort=name^" ^
  -X ^"GET^" --http1.1
